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
	after := func(d time.Duration) func(governance.Admitted, Placement) (time.Duration, bool) {
		return func(_ governance.Admitted, p Placement) (time.Duration, bool) { return d, p.Node == "a" }
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
				y := newYard("a", "b", "c")
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
		y := newYard(nodes...)
		y.behave = works(time.Hour)
		m := serve(t, y, Config{InHand: 16, Hedge: func(governance.Admitted, Placement) (time.Duration, bool) { return time.Second, true }})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		for range 16 {
			a := admit(t, nil)
			go func() { _, err := m.Submit(ctx, a); ended <- err }()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 16+2, y.runs(), "16 jobs and an eighth of second copies")
		cancel()
		for range 16 {
			require.ErrorIs(t, <-ended, ErrCancelled)
		}
		require.Zero(t, y.running, "cancel reaches both copies")
	})
}

// batchYard places waiting jobs together: the last one first, to tell it from
// one by one.
type batchYard struct {
	*yard
	sizes  []int
	placed func() // called when a batch is placed, if not nil
}

func (b *batchYard) ChooseAll(ctx context.Context, jobs []Waiting) []Placement {
	b.sizes = append(b.sizes, len(jobs))
	out := make([]Placement, len(jobs))
	for i := len(jobs) - 1; i >= 0; i-- {
		if p, err := b.Choose(ctx, jobs[i].Job, jobs[i].Attempt, jobs[i].Exclude); err == nil {
			out[i] = p
		}
	}
	if b.placed != nil {
		b.placed()
	}
	return out
}

// A job that is cancelled between its placement by a batch and its start never runs,
// and its slot comes back.
func TestCancelAfterABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard("a", "b", "c")
		y.full["a"], y.full["b"], y.full["c"] = true, true, true
		y.behave = works(time.Second)
		jobs, cancelJobs := context.WithCancel(t.Context())
		b := &batchYard{yard: y}
		m, err := New(Config{Chooser: b, Runner: b, Recheck: time.Hour})
		require.NoError(t, err)
		y.m = m
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		go func() { defer close(served); _ = m.Serve(ctx) }()
		ended := make(chan error, 2)
		for range 2 {
			a := admit(t, nil)
			go func() { _, err := m.Submit(jobs, a); ended <- err }()
		}
		synctest.Wait()
		require.Equal(t, 2, m.Waiting())
		b.sizes, b.placed = nil, cancelJobs
		clear(y.full)
		m.Kick()
		for range 2 {
			require.ErrorIs(t, <-ended, ErrCancelled)
		}
		require.Equal(t, []int{2}, b.sizes)
		require.Len(t, y.chosen, 2, "both were placed")
		require.Empty(t, y.ran())
		for node, taken := range y.taken {
			require.False(t, taken, "the slot of %s is back", node)
		}
		cancel()
		<-served
	})
}

func TestWaitingJobsArePlacedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard("a", "b", "c")
		y.full["a"], y.full["b"], y.full["c"] = true, true, true
		y.behave = works(time.Second)
		b := &batchYard{yard: y}
		m, err := New(Config{Chooser: b, Runner: b, Recheck: time.Hour})
		require.NoError(t, err)
		y.m = m
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		go func() { defer close(served); _ = m.Serve(ctx) }()
		type end struct {
			r   Result
			err error
		}
		const jobs = 5
		ended := make(chan end, jobs)
		for range jobs {
			a := admit(t, nil)
			go func() { r, err := m.Submit(ctx, a); ended <- end{r, err} }()
		}
		synctest.Wait()
		require.Equal(t, jobs, m.Waiting())
		clear(y.full)
		m.Kick()
		for range jobs {
			e := <-ended
			require.NoError(t, e.err)
			require.Len(t, e.r.Attempts, 1)
		}
		require.Contains(t, b.sizes, jobs, "all that waited, at once")
		require.Zero(t, y.running)
		cancel()
		<-served
	})
}
