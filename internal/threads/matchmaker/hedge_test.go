package matchmaker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// paced makes each node take its own time; a time below zero crashes after it.
func paced(times map[identity.PeerID]time.Duration) func(context.Context, governance.Job, identity.PeerID) (mesh.JobOutcome, error) {
	return func(ctx context.Context, j governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
		d := times[n]
		out, err := works(max(d, -d))(ctx, j, n)
		if err == nil && d < 0 {
			out.Code = mesh.JobCrashed
		}
		return out, err
	}
}

func TestHedge(t *testing.T) {
	after := func(d time.Duration) func(Job, Placement) (time.Duration, bool) {
		return func(_ Job, p Placement) (time.Duration, bool) { return d, p.Node == "a" }
	}
	for _, c := range []struct {
		name  string
		times map[identity.PeerID]time.Duration
		cfg   Config
		node  identity.PeerID
		took  time.Duration
		tried int
		err   error
	}{
		{"in time", map[identity.PeerID]time.Duration{"a": time.Second, "b": 1}, Config{}, "a", time.Second, 1, nil},
		{"second wins", map[identity.PeerID]time.Duration{"a": time.Minute, "b": time.Second}, Config{}, "b", 3 * time.Second, 2, nil},
		{"first wins", map[identity.PeerID]time.Duration{"a": 4 * time.Second, "b": time.Minute}, Config{}, "a", 4 * time.Second, 2, nil},
		{"second crashes", map[identity.PeerID]time.Duration{"a": 10 * time.Second, "b": -1 * time.Second}, Config{}, "a", 10 * time.Second, 2, nil},
		{"first crashes late", map[identity.PeerID]time.Duration{"a": -4 * time.Second, "b": 10 * time.Second}, Config{}, "b", 12 * time.Second, 2, nil},
		{"both crash", map[identity.PeerID]time.Duration{"a": -4 * time.Second, "b": -10 * time.Second, "c": time.Second}, Config{}, "c", 13 * time.Second, 3, nil},
		{"both crash, no more attempts", map[identity.PeerID]time.Duration{"a": -4 * time.Second, "b": -10 * time.Second, "c": 1}, Config{Attempts: 2}, "", 12 * time.Second, 2, ErrAttempts},
		{"one attempt only", map[identity.PeerID]time.Duration{"a": time.Minute, "b": 1}, Config{Attempts: 1}, "a", time.Minute, 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newNodePool("a", "b", "c")
				y.behave = paced(c.times)
				c.cfg.Hedge = after(2 * time.Second)
				m := serve(t, y, c.cfg)
				start := time.Now()
				r, err := m.Submit(t.Context(), admit(t, nil))
				require.ErrorIs(t, err, c.err)
				require.Equal(t, c.took, time.Since(start))
				require.Len(t, r.Attempts, c.tried)
				require.Zero(t, y.running, "the other copy is cancelled and over")
				require.Empty(t, m.hedges)
				for _, taken := range y.taken {
					require.False(t, taken, "every slot is back")
				}
				if c.err == nil {
					require.Equal(t, c.node, r.Placement.Node)
				}
				if c.name == "second wins" {
					require.ErrorIs(t, r.Attempts[1].Err, ErrOutrun)
				}
			})
		})
	}
}

func TestHedgesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := make([]identity.PeerID, 64)
		for i := range nodes {
			nodes[i] = identity.PeerID(rune('A' + i))
		}
		y := newNodePool(nodes...)
		y.behave = works(time.Hour)
		m := serve(t, y, Config{InHand: 16, Hedge: func(Job, Placement) (time.Duration, bool) { return time.Second, true }})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		for range 16 {
			a := admit(t, nil)
			go func() { _, err := m.Submit(ctx, a); ended <- err }()
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Equal(t, 16+2, y.runs(), "16 jobs and an eighth of second copies")
		cancel()
		for range 16 {
			require.ErrorIs(t, <-ended, ErrCancelled)
		}
		require.Zero(t, y.running, "cancel reaches both copies")
	})
}

// A job whose turn for a second copy came when too many were under way gets one when
// there is room again.
func TestHedgeWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b", "c", "d")
		y.behave = paced(map[identity.PeerID]time.Duration{"a": 10 * time.Second, "b": 25 * time.Second, "c": 20 * time.Second, "d": time.Second})
		// One second copy at a time: that of the first job, on c, until a answers.
		m := serve(t, y, Config{InHand: 8, Hedge: func(_ Job, p Placement) (time.Duration, bool) {
			return time.Second, p.Node == "a" || p.Node == "b"
		}})
		send(t, m, nil)
		time.Sleep(500 * time.Millisecond)
		start := time.Now()
		r, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.NotEqualValues(t, "b", r.Placement.Node)
		require.Less(t, time.Since(start), 25*time.Second)
		require.Len(t, r.Attempts, 2)
	})
}

// A job that is cancelled between its placement and its start never runs, and its
// slot comes back.
func TestCancelAfterThePlacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b", "c")
		y.full["a"], y.full["b"], y.full["c"] = true, true, true
		y.behave = works(time.Second)
		jobs, cancelJobs := context.WithCancel(t.Context())
		m := serve(t, y, Config{Recheck: time.Hour})
		ended := make(chan error, 2)
		for range 2 {
			a := admit(t, nil)
			go func() { _, err := m.Submit(jobs, a); ended <- err }()
		}
		synctest.Wait()
		require.Equal(t, 2, m.Waiting())
		y.sizes, y.placing = nil, cancelJobs
		clear(y.full)
		m.Kick()
		for range 2 {
			require.ErrorIs(t, <-ended, ErrCancelled)
		}
		require.Equal(t, []int{2}, y.sizes)
		require.Len(t, y.chosen, 2, "both were placed")
		synctest.Wait()
		require.Empty(t, y.ran())
		for node, taken := range y.taken {
			require.False(t, taken, "the slot of %s is back", node)
		}
	})
}

func TestWaitingJobsArePlacedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b", "c")
		y.full["a"], y.full["b"], y.full["c"] = true, true, true
		y.behave = works(time.Second)
		m := serve(t, y, Config{Recheck: time.Hour})
		const jobs = 5
		ended := make(chan error, jobs)
		for range jobs {
			a := admit(t, nil)
			go func() {
				r, err := m.Submit(t.Context(), a)
				if len(r.Attempts) != 1 {
					err = errNobody
				}
				ended <- err
			}()
		}
		synctest.Wait()
		require.Equal(t, jobs, m.Waiting())
		clear(y.full)
		m.Kick()
		for range jobs {
			require.NoError(t, <-ended)
		}
		require.Contains(t, y.sizes, jobs, "all that waited, at once")
		require.Zero(t, y.running)
	})
}
