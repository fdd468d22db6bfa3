package wazero_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
)

// The memories of all instances together are bounded, also as they grow.
func TestMemoryIsTakenFromABudget(t *testing.T) {
	const page = capsule.PageSize
	// grows has 2 to 16 pages, and takes all it can get.
	rt, err := wazero.New(wazero.Config{Memory: (16 + 2 + 1) * page})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close()) }()
	mod := compile(t, rt, built(t, "hostile/grows"))
	first, err := mod.Instantiate(t.Context(), 1, 0)
	require.NoError(t, err)
	grown := func(in capsule.Instance, pages uint64) {
		t.Helper()
		require.Eventually(t, func() bool { return in.Memory().Len() == pages*page }, time.Minute, time.Millisecond)
	}
	grown(first, 16)
	second, err := mod.Instantiate(t.Context(), 2, 0)
	require.NoError(t, err)
	grown(second, 3)
	_, err = second.Memory().Grow(4 * page)
	require.ErrorIs(t, err, capsule.ErrNoMemory)
	_, err = mod.Instantiate(t.Context(), 3, 0)
	require.ErrorIs(t, err, capsule.ErrNoMemory)
	code, retryable := capsule.CodeOf(err)
	require.Equal(t, "node_memory", code)
	require.True(t, retryable)

	first.Kill()
	<-first.Done()
	third, err := mod.Instantiate(t.Context(), 4, 0)
	require.NoError(t, err, "what ended gave its memory back")
	grown(third, 16)
	for _, in := range []capsule.Instance{second, third} {
		in.Kill()
		<-in.Done()
	}
}
