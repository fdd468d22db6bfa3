//go:build !js

package node

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
	"inos/internal/testkit"
	"inos/internal/testkit/capsules"
)

// lyingHandler is a handler of jobs that does none.
type lyingHandler struct{ code mesh.JobCode } // JobOK: it keeps them

func (l lyingHandler) HandleJob(ctx context.Context, _ identity.PeerID, call mesh.JobCall, _ mesh.FetchFunc, _ func(mesh.Progress)) mesh.JobOutcome {
	if l.code == mesh.JobOK {
		<-ctx.Done()
	}
	return mesh.JobOutcome{JobID: call.Job.ID, Code: l.code, Message: "\x1b[2J", Cost: 1 << 63}
}

func (lyingHandler) HandleCommand(context.Context, identity.PeerID, mesh.CommandCall) capsule.Reply {
	return capsule.Reply{Code: capsule.Denied}
}

func (lyingHandler) HandleFetch(context.Context, identity.PeerID, mesh.FetchCall) (mesh.Blob, bool) {
	return mesh.Blob{}, false
}

// lie starts a host that offers more for less than anybody and lies.
func lie(t *testing.T, seed byte, code mesh.JobCode, to *peer) {
	t.Helper()
	m, err := p2p.New(p2p.Config{Key: testkit.Key(seed), Handler: lyingHandler{code}, Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	_, err = m.Connect(t.Context(), to.mesh.Addrs()[0])
	require.NoError(t, err)
	require.NoError(t, m.Publish(t.Context(), mesh.Profile{Kind: "native", CreditCost: 1, FreeSlots: 1000, Expires: time.Now().Add(time.Hour)}))
}

// Three of ten real hosts lie, a tenth as dear as the others: 99 of 100 jobs succeed
// after the first 20.
func TestLyingHosts(t *testing.T) {
	for name, code := range map[string]mesh.JobCode{
		"internal": mesh.JobInternal, "crashed": mesh.JobCrashed, "rejected": mesh.JobRejected, "failed": mesh.JobFailed, "hang": mesh.JobOK,
	} {
		t.Run(name, func(t *testing.T) {
			home := start(t, 211, func(c *Config) { c.Slots, c.CreditCost, c.Allowance = -1, 10, 100_000_000 })
			for i := range byte(3) {
				lie(t, 212+i, code, home)
			}
			for i := range byte(7) {
				n := start(t, 215+i, func(c *Config) { c.Slots, c.CreditCost, c.StrangerLine = 2, 10, 10_000_000 })
				require.NoError(t, n.Kernel.Join(t.Context(), n.mesh, home.mesh.Addrs()))
			}
			require.Eventually(t, func() bool {
				nodes, err := home.Kernel.Nodes(t.Context())
				return err == nil && len(nodes) == 11
			}, 30*time.Second, 10*time.Millisecond)
			cid, err := home.Library.Publish("fault", capsules.Built(t, "fault"))
			require.NoError(t, err)
			const jobs = 200
			var all sync.WaitGroup
			turns := make(chan struct{}, 4)
			errs := make([]error, jobs)
			for i := range jobs {
				turns <- struct{}{}
				all.Go(func() {
					defer func() { <-turns }()
					_, errs[i] = home.Kernel.Dispatch(t.Context(), order(t, home, cid, "echo", 0, time.Now().Add(15*time.Second)))
				})
			}
			all.Wait()
			failed := 0
			for i, err := range errs {
				if err != nil && i >= 20 {
					failed++
					t.Logf("job %d: %v", i, err)
				}
			}
			require.LessOrEqual(t, failed, (jobs-20)/100)
		})
	}
}
