package kernel

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// stallingMesh is a fakeMesh whose best node answers in 20 ms, and at some time not at all.
type stallingMesh struct {
	*fakeMesh
	best    identity.PeerID
	stalled atomic.Bool
}

func (c *stallingMesh) RunJob(ctx context.Context, p identity.PeerID, call mesh.JobCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error) {
	wait := 20 * time.Millisecond
	if p == c.best && c.stalled.Load() {
		wait = time.Hour
	}
	select {
	case <-time.After(wait):
		return c.fakeMesh.RunJob(ctx, p, call, onProgress)
	case <-ctx.Done():
		return mesh.JobOutcome{Code: mesh.JobCancelled}, mesh.ErrCancelled
	}
}

// enoughAnswers of a node are needed to know its p95.
const enoughAnswers = 8

// A second copy follows after the node's own p95 and wins; the first is cancelled
// and its slot comes back. Without Hedge the job waits for the end of its patience with
// the first.
func TestHedgeAfterTheNodesOwnP95(t *testing.T) {
	for _, hedge := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := &stallingMesh{fakeMesh: newFakeMesh(randomPeers(rand.New(rand.NewPCG(8, 8)), 10))}
			for i := range c.peers {
				c.peers[i].Profile.FreeSlots, c.peers[i].Profile.CreditCost = 4, 1000
			}
			c.peers[3].Profile.CreditCost, c.peers[3].RTT = 1, time.Millisecond
			c.best = c.peers[3].Profile.Peer
			k := startOn(t, c, func(cfg *Config) { cfg.Hedge = hedge })
			for range enoughAnswers {
				out, err := k.Dispatch(t.Context(), submission("x", nil))
				require.NoError(t, err)
				require.Equal(t, c.best, out.Node)
				require.Len(t, out.Attempts, 1)
			}
			c.stalled.Store(true)
			out, err := k.Dispatch(t.Context(), submission("x", nil))
			require.NoError(t, err)
			require.NotEqual(t, c.best, out.Node)
			if !hedge {
				require.Len(t, out.Attempts, 2)
				require.ErrorIs(t, out.Attempts[0].Err, matchmaker.ErrSilent)
				require.Equal(t, 20*time.Second+20*time.Millisecond, out.Total, "a third of its minute and the second node's time")
				require.NoError(t, k.loop.ask(t.Context(), func(s *state) { require.Zero(t, s.nodes.Placed()) }))
				require.InDelta(t, 1, failuresOf(t, k, c.best), 0.1, "another node has done it")
				return
			}
			require.Equal(t, 40*time.Millisecond, out.Total, "its p95 and the second node's time")
			require.Len(t, out.Attempts, 2)
			require.ErrorIs(t, out.Attempts[1].Err, matchmaker.ErrOutrun)
			require.NoError(t, k.loop.ask(t.Context(), func(s *state) { require.Zero(t, s.nodes.Placed()) }))
			n, _ := infoOf(t, k, c.best)
			require.EqualValues(t, 4, n.FreeSlots)
			require.Zero(t, n.Failures, "slow is not failed")
		})
	}
}
