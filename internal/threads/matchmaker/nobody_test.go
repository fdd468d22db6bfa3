package matchmaker

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// A job that nobody is there for waits for news until its deadline, and then says so.
func TestWaitsForANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool()
		y.vacant = true
		m := serve(t, y, Config{Recheck: time.Hour})
		ends := func(in time.Duration) submitted {
			return admit(t, func(j *governance.Job) { j.Deadline = time.Now().Add(in) })
		}
		_, err := m.Submit(t.Context(), ends(5*time.Second))
		require.ErrorIs(t, err, ErrDeadline)
		require.ErrorIs(t, err, ErrNobody)
		require.ErrorIs(t, err, errNobody)

		time.AfterFunc(3*time.Second, func() {
			y.mu.Lock()
			y.nodes = []identity.PeerID{"new"}
			y.mu.Unlock()
			m.Kick()
		})
		start := time.Now()
		r, err := m.Submit(t.Context(), ends(5*time.Second))
		require.NoError(t, err)
		require.EqualValues(t, "new", r.Placement.Node)
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

// A deadline that comes while a node is looked for is as much for want of one.
func TestTheDeadlineWhileANodeIsLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool()
		y.vacant, y.looks = true, -1
		_, err := serve(t, y, Config{}).Submit(t.Context(), admit(t, func(j *governance.Job) { j.Deadline = time.Now().Add(5 * time.Second) }))
		require.ErrorIs(t, err, ErrDeadline)
		require.ErrorIs(t, err, ErrNobody)
		require.ErrorIs(t, err, errNobody)
	})
}

// Without a deadline a job waits for a node for a minute: each its own, and anew when one
// was there meanwhile.
func TestWaitsForANodeWithoutADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool()
		y.vacant = true
		m := serve(t, y, Config{})
		patient := func(j *governance.Job) { j.Deadline = time.Time{} }
		waits := func(after, least, most time.Duration) (done chan struct{}) {
			time.Sleep(after)
			done = make(chan struct{})
			go func() {
				defer close(done)
				start := time.Now()
				_, err := m.Submit(t.Context(), admit(t, patient))
				require.ErrorIs(t, err, ErrNobody)
				require.NotErrorIs(t, err, ErrDeadline)
				require.GreaterOrEqual(t, time.Since(start), least)
				require.LessOrEqual(t, time.Since(start), most)
			}()
			return done
		}
		first := waits(0, time.Minute, 62*time.Second)
		second := waits(40*time.Second, time.Minute, 62*time.Second)
		<-first
		<-second
		third := waits(0, 90*time.Second, 92*time.Second)
		time.Sleep(30 * time.Second)
		y.mu.Lock()
		y.nodes, y.taken["busy"] = []identity.PeerID{"busy"}, true
		y.mu.Unlock()
		m.Kick()
		synctest.Wait()
		y.mu.Lock()
		y.nodes = nil
		y.mu.Unlock()
		<-third
	})
}

// What was not sent is no attempt; what was lost is one, and its node may try again
// when nobody else is there; who will not have the job is not asked again.
func TestWhatCountsAsAnAttempt(t *testing.T) {
	lost, unsent := mesh.ErrUnreachable, fmt.Errorf("%w: %w", mesh.ErrUnsent, mesh.ErrUnreachable)
	rejected := &JobError{Code: mesh.JobRejected, Reason: "no"}
	for _, c := range []struct {
		name  string
		nodes []identity.PeerID
		fails []error // one after the other
		tries int
		err   error // nil: it is done
	}{
		{"never sent", []identity.PeerID{"a"}, []error{unsent, unsent, unsent, unsent, unsent}, 6, nil},
		{"lost twice", []identity.PeerID{"a"}, []error{lost, lost}, 3, nil},
		{"lost three times", []identity.PeerID{"a"}, []error{lost, lost, lost}, 3, ErrAttempts},
		{"one after the other", []identity.PeerID{"a"}, []error{unsent, lost, unsent, lost, unsent}, 6, nil},
		{"trouble of its own", []identity.PeerID{"a"}, []error{&JobError{Code: mesh.JobInternal}, &JobError{Code: mesh.JobCancelled}}, 3, nil},
		{"refused", []identity.PeerID{"a"}, []error{rejected}, 1, rejected},
		{"refused by one, lost by the other", []identity.PeerID{"a", "b"}, []error{rejected, lost}, 3, nil},
		{"a crash is not repeated", []identity.PeerID{"a"}, []error{&JobError{Code: mesh.JobCrashed}}, 1, ErrAttempts},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newNodePool(c.nodes...)
				tries := 0
				y.behave = func(_ context.Context, _ governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
					tries++
					if tries > len(c.fails) {
						return mesh.JobOutcome{Node: n}, nil
					}
					if said, ok := c.fails[tries-1].(*JobError); ok {
						return mesh.JobOutcome{Code: said.Code, Reason: said.Reason}, nil
					}
					return mesh.JobOutcome{}, c.fails[tries-1]
				}
				y.vacant = true
				m := serve(t, y, Config{})
				r, err := m.Submit(t.Context(), admit(t, nil))
				require.Equal(t, c.tries, tries)
				require.Len(t, r.Attempts, c.tries)
				var said *JobError
				switch {
				case c.err == nil:
					require.NoError(t, err)
				case c.err == rejected:
					require.ErrorAs(t, err, &said)
					require.Equal(t, "no", said.Reason)
				default:
					require.ErrorIs(t, err, c.err)
				}
			})
		})
	}
}

// A Chooser that passes over no node that cannot be reached does not have the
// matchmaker spin: the job waits now and then.
func TestNeverSpins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a")
		tries := 0
		y.behave = func(context.Context, governance.Job, identity.PeerID) (mesh.JobOutcome, error) {
			tries++
			return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, mesh.ErrUnreachable)
		}
		y.vacant = true
		m := serve(t, y, Config{})
		_, err := m.Submit(t.Context(), admit(t, func(j *governance.Job) { j.Deadline = time.Now().Add(10 * time.Second) }))
		require.ErrorIs(t, err, ErrDeadline)
		require.LessOrEqual(t, tries, 11*unsentInARow)
	})
}

// A job whose deadline is the end of the service, too, has passed its deadline: whichever
// of the two is seen first.
func TestTheDeadlineAndTheEndAtOnce(t *testing.T) {
	for _, state := range []string{"running", "waiting", "nobody"} {
		t.Run(state, func(t *testing.T) {
			for range 20 {
				synctest.Test(t, func(t *testing.T) {
					y := newNodePool("a")
					y.vacant, y.taken["a"] = true, state == "waiting"
					if state == "nobody" {
						y.nodes = nil
					}
					y.behave = works(time.Hour)
					m, err := New(Config{Chooser: y, Runner: y})
					require.NoError(t, err)
					y.m = m
					serving, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					defer cancel()
					ended := make(chan error, 1)
					go func() { ended <- m.Serve(serving) }()
					synctest.Wait()
					_, err = m.Submit(t.Context(), admit(t, func(j *governance.Job) { j.Deadline = time.Now().Add(5 * time.Second) }))
					require.ErrorIs(t, err, ErrDeadline)
					require.NotErrorIs(t, err, ErrStopped)
					<-ended
				})
			}
		})
	}
}
