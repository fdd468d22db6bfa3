package kernel

import (
	"context"
	"fmt"
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

// A node that returns wrong results gets three jobs at most before it is
// quarantined, though its score is the best; a probe follows now and then.
func TestAForgerIsQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeMesh(randomPeers(rand.New(rand.NewPCG(3, 3)), 20))
		for i := range c.peers {
			c.peers[i].Profile.FreeSlots = 4
			c.peers[i].RTT = 10 * time.Millisecond
			c.peers[i].Profile.CreditCost = 1000
		}
		c.forger = c.peers[7].Profile.Peer
		c.peers[7].RTT = time.Millisecond
		k := startOn(t, c, nil)
		tried := func(jobs int) (n int) {
			for range jobs {
				out, err := k.Dispatch(t.Context(), submission("x", nil))
				require.NoError(t, err, "another node does it")
				for _, a := range out.Attempts {
					if a.Node == c.forger {
						require.ErrorIs(t, a.Err, mesh.ErrResult)
						n++
					}
				}
			}
			return n
		}
		require.Equal(t, 3, tried(50))
		e, err := k.Explain(t.Context(), submission("x", nil).Job)
		require.NoError(t, err)
		require.Equal(t, 1, e.RuledOut["quarantine"])
		time.Sleep(15 * time.Second)
		require.Equal(t, 1, tried(50), "one probe")
	})
}

// A job that crashes wherever it runs marks no node, however often it is sent.
func TestAPoisonousJobMarksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		for i := range 5 {
			m := w.start(fmt.Sprint("worker ", i), nil)
			w.net.SetLatency(home.Self(), m.Self(), time.Millisecond)
			w.meet(home, m)
		}
		time.Sleep(8 * time.Second)
		for range 20 {
			poison := submission("x", needs("simd"))
			poison.Job.Method = "crash"
			out, err := home.Dispatch(t.Context(), poison)
			require.ErrorIs(t, err, matchmaker.ErrAttempts)
			require.Len(t, out.Attempts, 3, "it does not walk the fleet")
		}
		nodes, err := home.Nodes(t.Context())
		require.NoError(t, err)
		for _, n := range nodes {
			require.Zero(t, n.Failures)
		}
		_, err = home.Dispatch(t.Context(), submission("x", needs("simd")))
		require.NoError(t, err)
	})
}

// What is lost on a path that loses packets is held against nobody, though another node does
// the job; on any other path it is. Ping after ping lost there does not end what is known of
// a node either.
func TestALossyPathIsNobodysFault(t *testing.T) {
	for _, lossy := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			failure := fmt.Errorf("%w: it is silent", mesh.ErrUnreachable)
			if lossy {
				failure = fmt.Errorf("%w: %w", failure, mesh.ErrLossy)
			}
			c := &lossyMesh{fakeMesh: newFakeMesh(randomPeers(rand.New(rand.NewPCG(6, 6)), 5)), failure: failure}
			for i := range c.peers {
				p := &c.peers[i]
				p.Connected, p.RTT = true, time.Duration(i+1)*time.Millisecond
				p.Profile.FreeSlots, p.Profile.CreditCost = 4, 1000
			}
			c.bad = c.peers[0].Profile.Peer
			c.answers = map[identity.PeerID]func(context.Context, mesh.JobCall) (mesh.JobOutcome, error){
				c.bad: func(context.Context, mesh.JobCall) (mesh.JobOutcome, error) { return mesh.JobOutcome{}, failure },
			}
			k := startOn(t, c, func(cfg *Config) { cfg.Slots = -1 })
			tried := 0
			for range 50 {
				out, err := k.Dispatch(t.Context(), submission("x", nil))
				require.NoError(t, err)
				for _, a := range out.Attempts {
					if a.Err != nil {
						tried++
					}
				}
				time.Sleep(time.Second)
			}
			require.Positive(t, tried)
			n, known := infoOf(t, k, c.bad)
			require.Equal(t, lossy, known, "%d pings were lost, too", c.lost.Load())
			require.True(t, !lossy || n.Failures == 0, "nothing is held against it")
			require.Greater(t, c.lost.Load(), int64(3))
		})
	}
}

// lossyMesh is a fakeMesh with one peer to which no way is found any more.
type lossyMesh struct {
	*fakeMesh
	bad     identity.PeerID
	failure error
	lost    atomic.Int64
}

func (c *lossyMesh) Ping(ctx context.Context, p identity.PeerID) (time.Duration, error) {
	if p == c.bad {
		c.lost.Add(1)
		return 0, c.failure
	}
	return c.fakeMesh.Ping(ctx, p)
}

// Jobs that wait together are placed together.
func TestWaitingJobsAreMatchedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeMesh(randomPeers(rand.New(rand.NewPCG(5, 5)), 50))
		k := startOn(t, c, nil)
		const jobs = 20
		events, cancel := k.Subscribe(1024)
		defer cancel()
		ended := make(chan error, jobs)
		for range jobs {
			go func() { _, err := k.Dispatch(t.Context(), submission("x", nil)); ended <- err }()
		}
		for range jobs {
			require.NoError(t, <-ended)
		}
		placed := 0
		for len(events) > 0 {
			if e, ok := (<-events).(JobPlacedEvent); ok {
				require.NotEmpty(t, e.Decision.Top)
				placed++
			}
		}
		require.Equal(t, jobs, placed)
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			require.Zero(t, s.nodes.Placed(), "every slot is back")
		}))
	})
}
