//go:build js && browser

package node

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// As natively in isolation_test.go, with capsules in Workers.
func TestNoCustomerMeetsAnother(t *testing.T) {
	p := newPage(t)
	workers := []*Node{p.enter(t, 1, 2), p.enter(t, 2, 2), p.enter(t, 3, 2)}
	one, other := p.customer(t, 4, workers...), p.customer(t, 5, workers...)
	nobodyMeets(t, pageCapsule("state"), workers, one, other)
	require.Positive(t, pageStat("reused"), "Workers served more than once")
}
