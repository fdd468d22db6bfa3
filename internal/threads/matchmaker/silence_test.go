package matchmaker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
)

// A node that has the job and says nothing loses it once another one can have it; one
// that reports, or that nobody can take over from, does not.
func TestSilence(t *testing.T) {
	const never = 100 * time.Hour
	type times = map[identity.PeerID]time.Duration
	type chatty = map[identity.PeerID]bool
	for _, c := range []struct {
		name   string
		nodes  []identity.PeerID
		times  times
		talks  chatty
		full   identity.PeerID // for the first 85 s
		roomy  identity.PeerID // has slots without end
		left   time.Duration
		cfg    Config
		change func(*governance.Job)
		node   identity.PeerID
		took   time.Duration
		silent int
		err    error
	}{
		{name: "the next one does it", nodes: []identity.PeerID{"a", "b", "c"}, times: times{"a": never, "b": time.Second},
			left: time.Hour, node: "b", took: 31 * time.Second, silent: 1},
		{name: "two of three are silent", nodes: []identity.PeerID{"a", "b", "c"}, times: times{"a": never, "b": never, "c": time.Second},
			left: time.Hour, node: "c", took: 61 * time.Second, silent: 2},
		{name: "a share of a near deadline", nodes: []identity.PeerID{"a", "b", "c"}, times: times{"a": never, "b": never, "c": time.Second},
			left: 15 * time.Second, node: "c", took: 11 * time.Second, silent: 2},
		{name: "never below the least", nodes: []identity.PeerID{"a", "b", "c"}, times: times{"a": never, "b": time.Second},
			left: 6 * time.Second, node: "b", took: 4 * time.Second, silent: 1},
		{name: "it has much input to take", nodes: []identity.PeerID{"a", "b"}, times: times{"a": never, "b": time.Second},
			left: time.Hour, change: func(j *governance.Job) { j.InputLength = 10 * slowUpload }, node: "b", took: 41 * time.Second, silent: 1},
		{name: "it reports", nodes: []identity.PeerID{"a", "b"}, times: times{"a": 10 * time.Minute, "b": time.Second}, talks: chatty{"a": true},
			left: time.Hour, node: "a", took: 10 * time.Minute},
		{name: "nobody else can", nodes: []identity.PeerID{"a"}, times: times{"a": 10 * time.Minute}, left: time.Hour, node: "a", took: 10 * time.Minute},
		{name: "the others are busy, for a while", nodes: []identity.PeerID{"a", "b"}, times: times{"a": never, "b": time.Second}, full: "b",
			left: time.Hour, node: "b", took: 30*time.Second + 8*7500*time.Millisecond + time.Second, silent: 1},
		{name: "the last attempt goes on", nodes: []identity.PeerID{"a", "b", "c"}, times: times{"a": never, "b": 10 * time.Minute, "c": 1},
			left: time.Hour, cfg: Config{Attempts: 2}, node: "b", took: 10*time.Minute + 30*time.Second, silent: 1},
		{name: "all are silent", nodes: []identity.PeerID{"a", "b", "c", "d"}, times: times{"a": never, "b": never, "c": never, "d": 1},
			left: 30 * time.Second, took: 30 * time.Second, silent: 2, err: ErrDeadline},
		{name: "for several nodes", nodes: []identity.PeerID{"a", "b"}, times: times{"a": 10 * time.Minute, "b": 1},
			left: time.Hour, change: func(j *governance.Job) { j.Replicas = 2 }, node: "a", took: 10 * time.Minute},
		{name: "and so is the second copy", nodes: []identity.PeerID{"a", "b", "c"}, times: times{"a": never, "b": never, "c": time.Second},
			cfg:  Config{Hedge: func(Job, Placement) (time.Duration, bool) { return 10 * time.Second, true }},
			left: time.Hour, node: "c", took: 41 * time.Second, silent: 2},
		{name: "and the second copy's node has more slots", nodes: []identity.PeerID{"a", "b", "c"}, times: times{"a": never, "b": never, "c": time.Second},
			cfg:  Config{Hedge: func(Job, Placement) (time.Duration, bool) { return 10 * time.Second, true }},
			left: time.Hour, roomy: "b", node: "c", took: 41 * time.Second, silent: 2},
		{name: "no third copy when two may fail", nodes: []identity.PeerID{"a", "b", "c"}, times: times{"a": never, "b": 10 * time.Minute, "c": 1},
			cfg:  Config{Attempts: 2, Hedge: func(Job, Placement) (time.Duration, bool) { return 10 * time.Second, true }},
			left: time.Hour, node: "b", took: 10*time.Minute + 10*time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newNodePool(c.nodes...)
				y.behave = paced(c.times)
				if c.talks != nil {
					y.talks = c.talks
				}
				y.roomy = c.roomy
				if c.full != "" {
					y.full[c.full] = true
					time.AfterFunc(85*time.Second, func() {
						y.mu.Lock()
						defer y.mu.Unlock()
						y.full[c.full] = false
					})
				}
				m := serve(t, y, c.cfg)
				start := time.Now()
				r, err := m.Submit(t.Context(), admit(t, func(j *governance.Job) {
					j.Deadline = start.Add(c.left)
					if c.change != nil {
						c.change(j)
					}
				}))
				require.ErrorIs(t, err, c.err)
				if c.err == nil {
					require.Equal(t, c.node, r.Placement.Node)
				}
				require.Equal(t, c.took, time.Since(start))
				silent := 0
				for _, a := range r.Attempts {
					if errors.Is(a.Err, ErrSilent) {
						silent++
					}
				}
				require.Equal(t, c.silent, silent)
				synctest.Wait()
				require.Zero(t, y.runs())
				require.Empty(t, m.hedges)
				for node, taken := range y.taken {
					require.False(t, taken, "the slot of %s is back", node)
				}
			})
		})
	}
}

// An answer that comes while a replacement is chosen wins, and the replacement's slot
// comes back.
func TestAnAnswerCrossesTheReplacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b")
		y.behave = works(31 * time.Second)
		y.slow = 2 * time.Second // for the second attempt's choice
		m := serve(t, y, Config{})
		r, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.EqualValues(t, "a", r.Placement.Node)
		require.Len(t, r.Attempts, 1)
		require.Equal(t, []identity.PeerID{"a", "b"}, y.chosen)
		synctest.Wait()
		for node, taken := range y.taken {
			require.False(t, taken, "the slot of %s is back", node)
		}
	})
}

// An answer that comes while the node is given up counts, and the replacement's slot
// comes back.
func TestAnAnswerCrossesTheGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b")
		y.behave = func(ctx context.Context, _ governance.Job, n identity.PeerID) (outcome, error) {
			<-ctx.Done()
			return outcome{Node: n}, nil
		}
		m := serve(t, y, Config{})
		r, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.EqualValues(t, "a", r.Placement.Node)
		require.Equal(t, []identity.PeerID{"a", "b"}, y.chosen)
		synctest.Wait()
		for node, taken := range y.taken {
			require.False(t, taken, "the slot of %s is back", node)
		}
	})
}

// Whoever gives up in the instant in which the job is found to have to wait is told at
// once.
func TestCancelWhileItStartsToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a")
		y.full["a"] = true
		m, err := New(Config{Chooser: y, Runner: y})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		a := admit(t, nil)
		ended := make(chan error, 1)
		go func() { _, err := m.Submit(ctx, a); ended <- err }()
		synctest.Wait()
		batch, kicks := m.take(nil)
		require.Len(t, batch, 1)
		cancel()
		synctest.Wait()
		require.Empty(t, ended, "it is in hand")
		m.again(batch[0], kicks, true)
		synctest.Wait()
		require.ErrorIs(t, <-ended, ErrCancelled)
		require.Zero(t, m.Waiting())
		require.Empty(t, m.known)
	})
}

// A Kick between the choice and the waiting is not lost.
func TestKickWhileItStartsToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a")
		y.full["a"] = true
		once := true
		m, err := New(Config{Chooser: y, Runner: y, Recheck: time.Hour})
		require.NoError(t, err)
		y.m = m
		y.placing = func() { // the node comes free just after it was found busy
			if once {
				once = false
				y.full["a"] = false
				m.Kick()
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		go func() { defer close(served); _ = m.Serve(ctx) }()
		start := time.Now()
		_, err = m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.Zero(t, time.Since(start))
		cancel()
		<-served
	})
}
