//go:build !js

package node

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/kernel"
	"inos/internal/kernel/placement"
	"inos/internal/testkit"
	"inos/internal/testkit/accounts"
)

// A node whose ledger, or whose store of proofs, cannot be written offers no slots, says so
// once, and is back once both can, though nobody asks it for anything.
func TestANodeThatCannotWriteItsBooksOffersNothing(t *testing.T) {
	for _, name := range []string{"ledger", "proofs"} {
		t.Run(name, func(t *testing.T) {
			log, keep := &accounts.FullLog{}, &testkit.KVStore{}
			fail := log.Fail
			if name == "proofs" {
				fail = keep.Fail
			}
			home := start(t, 91, nil)
			far := start(t, 92, func(c *Config) { c.Log, c.Keep = log, keep })
			events, cancel := far.Kernel.Subscribe(1024)
			defer cancel()
			require.NoError(t, home.Kernel.Join(t.Context(), home.mesh, far.mesh.Addrs()))
			offers := func(slots uint32) {
				t.Helper()
				require.Eventually(t, func() bool {
					nodes, err := home.Kernel.Nodes(t.Context())
					require.NoError(t, err)
					return slices.ContainsFunc(nodes, func(n placement.NodeInfo) bool {
						return n.Profile.Peer == far.mesh.Self() && n.Profile.FreeSlots == slots
					})
				}, time.Minute, 10*time.Millisecond)
			}
			offers(2)
			for range 2 {
				fail(syscall.ENOSPC)
				far.reputation.Save() // as it does each minute
				_ = far.Ledger.Grant(home.Signer.Ledger(), 1, time.Now())
				_ = far.Ledger.OpenAccount(far.Signer.Ledger(), 1_000_000, time.Now())
				e := changed(events)
				require.ErrorIs(t, e.Err, syscall.ENOSPC)
				offers(0)
				st, err := far.Kernel.Status(t.Context())
				require.NoError(t, err)
				require.ErrorIs(t, st.Unwritable, syscall.ENOSPC)
				fail(nil)
				require.NoError(t, changed(events).Err, "and nothing between")
				offers(2)
			}
			require.Empty(t, keep.Keys("room"))
		})
	}
}

// changed waits for the next word of the books.
func changed(events <-chan kernel.Event) kernel.BooksChanged {
	for e := range events {
		if b, ok := e.(kernel.BooksChanged); ok {
			return b
		}
	}
	panic("the subscription has ended")
}
