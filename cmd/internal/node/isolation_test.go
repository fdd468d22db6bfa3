//go:build !js

package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/testkit/capsules"
)

// customer is a node that has no slots of its own and pays with a key of its own.
func customer(t *testing.T, seed byte, workers ...*peer) *peer {
	t.Helper()
	c := start(t, seed, func(c *Config) { c.Slots = -1 })
	events, cancel := c.Kernel.Subscribe(1 << 10)
	defer cancel()
	for _, w := range workers {
		require.NoError(t, c.Kernel.Join(t.Context(), c.mesh, w.mesh.Addrs()))
	}
	for heard := map[identity.PeerID]bool{}; len(heard) < len(workers); {
		if e, ok := (<-events).(kernel.NodeHeard); ok {
			heard[e.Profile.Peer] = true
		}
	}
	return c
}

// Natively, over the real mesh; in browsers: isolation_browser_test.go.
func TestNoCustomerMeetsAnother(t *testing.T) {
	workers := []*peer{start(t, 101, nil), start(t, 102, nil), start(t, 103, nil)}
	one, other := customer(t, 104, workers...), customer(t, 105, workers...)
	nobodyMeets(t, capsules.Built(t, "state"), []*Node{workers[0].Node, workers[1].Node, workers[2].Node}, one.Node, other.Node)
}
