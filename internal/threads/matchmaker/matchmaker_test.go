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

func TestOnlyAdmittedJobs(t *testing.T) {
	y := newNodePool("a")
	_, err := New(Config{Chooser: y})
	require.ErrorIs(t, err, ErrConfig)
	m, err := New(Config{Chooser: y, Runner: y})
	require.NoError(t, err)
	_, err = m.Submit(t.Context(), submitted{})
	require.ErrorIs(t, err, ErrNotAdmitted)
	require.Empty(t, y.chosen)
	require.Zero(t, m.Waiting())
}
func (finalError) Final() bool { return true }

func TestWaitsForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b")
		y.behave = works(time.Second)
		m := serve(t, y, Config{})
		start := time.Now()
		done := make(chan error)
		waited := make(chan time.Duration, 10)
		const jobs = 10
		for range jobs {
			a := admit(t, nil)
			go func() {
				r, err := m.Submit(context.Background(), a)
				waited <- r.Queued
				done <- err
			}()
		}
		var all time.Duration
		for range jobs {
			require.NoError(t, <-done)
			all += <-waited
		}
		require.Equal(t, 2*(0+1+2+3+4)*time.Second, all, "what each was told of its waiting, though all had asked at once")
		require.Equal(t, 5*time.Second, time.Since(start), "two at a time, with no pause between")
	})
}

func TestRecheckWithoutAKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a")
		y.full["a"] = true
		m := serve(t, y, Config{})
		time.AfterFunc(10*time.Second, func() {
			y.mu.Lock()
			defer y.mu.Unlock()
			y.full["a"] = false
		})
		start := time.Now()
		_, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 11*time.Second)
	})
}

func TestCancelAtEveryStage(t *testing.T) {
	type stage struct {
		name   string
		setup  func(y *nodePool)
		cfg    Config
		inHand bool // past the queue
		copies int  // that run when the end comes
	}
	hedge := func(Job, Placement) (time.Duration, bool) { return time.Second, true }
	for _, s := range []stage{
		{"running", func(y *nodePool) { y.behave = works(time.Hour) }, Config{}, true, 1},
		{"parked", func(y *nodePool) { y.full["a"], y.full["b"] = true, true }, Config{Recheck: time.Hour}, false, 0},
		{"queued", func(y *nodePool) { y.behave = works(time.Hour) }, Config{InHand: 1}, false, 1},
		{"looking", func(y *nodePool) { y.looks = -1 }, Config{}, true, 0},
		{"choosing for a second copy", func(y *nodePool) { y.stall, y.behave = 2, works(time.Hour) }, Config{Hedge: hedge}, true, 1},
		{"chosen too late for a second copy", func(y *nodePool) { y.stall, y.late, y.behave = 2, true, works(time.Hour) }, Config{Hedge: hedge}, true, 1},
		{"running twice", func(y *nodePool) { y.behave = works(time.Hour) }, Config{Hedge: hedge}, true, 2},
		{"looking again after a failure", func(y *nodePool) {
			y.placing = func() { y.looks = -1 }
			y.behave = func(context.Context, governance.Job, identity.PeerID) (mesh.JobOutcome, error) {
				return mesh.JobOutcome{Code: mesh.JobCrashed}, nil
			}
		}, Config{}, true, 0},
	} {
		for _, how := range []string{"cancel", "deadline", "stop"} {
			t.Run(s.name+" by "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					y := newNodePool("a", "b")
					s.setup(y)
					c := s.cfg
					c.Chooser, c.Runner = y, y
					m, err := New(c)
					require.NoError(t, err)
					y.m = m
					serving, stop := context.WithCancel(t.Context())
					served := make(chan struct{})
					go func() { defer close(served); _ = m.Serve(serving) }()
					first, cancelFirst := context.WithCancel(t.Context())
					defer cancelFirst()
					if s.name == "queued" {
						blocker := admit(t, nil)
						go func() { _, _ = m.Submit(first, blocker) }()
						synctest.Wait()
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					a := admit(t, func(j *governance.Job) {
						if how == "deadline" {
							j.Deadline = time.Now().Add(5 * time.Second)
						}
					})
					ended := make(chan error, 1)
					go func() { _, err := m.Submit(ctx, a); ended <- err }()
					time.Sleep(2 * time.Second)
					synctest.Wait()
					require.Equal(t, s.copies, y.runs())
					want := ErrCancelled
					switch how {
					case "cancel":
						cancel()
					case "deadline":
						want = ErrDeadline
					case "stop":
						stop()
						if !s.inHand {
							want = ErrStopped
						}
					}
					start := time.Now()
					require.ErrorIs(t, <-ended, want)
					require.LessOrEqual(t, time.Since(start), 5*time.Second)
					cancelFirst()
					stop()
					<-served
					require.Zero(t, y.running)
					require.Zero(t, m.Waiting())
					require.Empty(t, m.known)
					require.Empty(t, m.hedges)
					for node, taken := range y.taken {
						require.False(t, taken, "the slot of %s is back", node)
					}
				})
			})
		}
	}
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a")
		y.behave = works(time.Minute)
		m := serve(t, y, Config{Queue: 2, InHand: 1})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 3)
		first := admit(t, nil)
		for _, a := range []submitted{first, admit(t, nil), admit(t, nil)} {
			go func() { _, err := m.Submit(ctx, a); ended <- err }()
			synctest.Wait()
		}
		_, err := m.Submit(ctx, admit(t, nil))
		require.ErrorIs(t, err, ErrQueueFull)
		_, err = m.Submit(ctx, first)
		require.ErrorIs(t, err, ErrDuplicate)
		cancel()
		for range 3 {
			require.ErrorIs(t, <-ended, ErrCancelled)
		}
	})
}

func TestAPanicEndsTheJobOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b")
		y.behave = func(_ context.Context, _ governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
			if n == "a" {
				panic("as asked")
			}
			return mesh.JobOutcome{Node: n}, nil
		}
		m := serve(t, y, Config{})
		r, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.ErrorIs(t, r.Attempts[0].Err, ErrPanic)
		require.EqualValues(t, "b", r.Placement.Node)
	})
}
