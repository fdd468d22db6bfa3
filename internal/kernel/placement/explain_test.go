package placement

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/scheduler"
)

func TestReason(t *testing.T) {
	e := scheduler.Explanation{Why: "highest score", Top: []scheduler.Candidate{
		{Node: scheduler.Node{ID: "a"}, Score: 3.796}, {Node: scheduler.Node{ID: "b"}, Score: 0.75},
	}}
	require.Equal(t, "highest score", Reason(e, "a"))
	require.Equal(t, "score 0.75, rank 2", Reason(e, "b"))
	require.Empty(t, Reason(e, "c"))
}
