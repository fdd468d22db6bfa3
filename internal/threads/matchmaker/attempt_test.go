package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

func TestTriesTheNextNode(t *testing.T) {
	outcome := func(code mesh.JobCode) error { return &JobError{Code: code} }
	for _, c := range []struct {
		name  string
		fails error // of every node but the last
		tried int
		err   error
	}{
		{"unreachable", mesh.ErrUnreachable, 3, nil},
		{"timeout", mesh.ErrTimeout, 3, nil},
		{"broken protocol", mesh.ErrProtocol, 3, nil},
		{"crashed", outcome(mesh.JobCrashed), 3, nil},
		{"capsule not to be had", outcome(mesh.JobUnknownCapsule), 3, nil},
		{"rejected", outcome(mesh.JobRejected), 3, nil},
		{"bad capsule", outcome(mesh.JobBadCapsule), 3, nil},
		{"no credit", outcome(mesh.JobCreditExhausted), 3, nil},
		{"out of time", outcome(mesh.JobDeadline), 3, nil},
		{"failed, as a second node says", outcome(mesh.JobFailed), 2, outcome(mesh.JobFailed)},
		{"its budget is spent", &JobError{Code: mesh.JobCreditExhausted, Paid: true}, 1, outcome(mesh.JobCreditExhausted)},
		{"the Runner says it is final", finalError{mesh.ErrUnreachable}, 1, mesh.ErrUnreachable},
		{"mesh closed", mesh.ErrClosed, 1, mesh.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newNodePool("a", "b", "c")
				y.behave = func(_ context.Context, _ governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
					var job *JobError
					switch {
					case n == "c":
						return mesh.JobOutcome{Node: n}, nil
					case errors.As(c.fails, &job):
						out := mesh.JobOutcome{Code: job.Code}
						if job.Paid {
							out.Receipt = []byte("receipt")
						}
						return out, nil
					}
					return mesh.JobOutcome{}, c.fails
				}
				m := serve(t, y, Config{})
				r, err := m.Submit(t.Context(), admit(t, nil))
				require.Len(t, r.Attempts, c.tried)
				if c.err == nil {
					require.NoError(t, err)
					require.EqualValues(t, "c", r.Placement.Node)
					require.Equal(t, []identity.PeerID{"a", "b", "c"}, y.chosen, "each once")
					return
				}
				var want, got *JobError
				if errors.As(c.err, &want) {
					require.ErrorAs(t, err, &got)
					require.Equal(t, want.Code, got.Code)
				} else {
					require.ErrorIs(t, err, c.err)
				}
			})
		})
	}
}

type finalError struct{ error }

func (f finalError) Unwrap() error { return f.error }

// What nodes say when all refuse: a single one's reason stands for itself.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes []identity.PeerID
		code  mesh.JobCode
		err   error // besides the refusal
	}{
		{"the only node", []identity.PeerID{"a"}, mesh.JobRejected, nil},
		{"the only node's capsules", []identity.PeerID{"a"}, mesh.JobFailed, nil},
		{"the only node, but it crashed", []identity.PeerID{"a"}, mesh.JobCrashed, ErrAttempts},
		{"both there are", []identity.PeerID{"a", "b"}, mesh.JobRejected, ErrAttempts},
		{"three of four", []identity.PeerID{"a", "b", "c", "d"}, mesh.JobRejected, ErrAttempts},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newNodePool(c.nodes...)
				y.behave = func(_ context.Context, _ governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
					return mesh.JobOutcome{Code: c.code, Reason: "said_by_" + string(n)}, nil
				}
				r, err := serve(t, y, Config{}).Submit(t.Context(), admit(t, nil))
				var said *JobError
				require.ErrorAs(t, err, &said)
				require.Equal(t, "said_by_"+string(y.chosen[len(y.chosen)-1]), said.Reason, "the last one's")
				require.Len(t, r.Attempts, min(len(c.nodes), 3))
				if c.err == nil {
					require.NotErrorIs(t, err, ErrAttempts)
					require.NotErrorIs(t, err, errNobody)
				} else {
					require.ErrorIs(t, err, c.err)
				}
			})
		})
	}
}

func TestAttemptsAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a", "b", "c", "d", "e", "f")
		y.behave = func(context.Context, governance.Job, identity.PeerID) (mesh.JobOutcome, error) {
			return mesh.JobOutcome{Code: mesh.JobCrashed}, nil
		}
		m := serve(t, y, Config{Attempts: 4})
		r, err := m.Submit(t.Context(), admit(t, nil))
		require.ErrorIs(t, err, ErrAttempts)
		require.Len(t, r.Attempts, 4, "a poisonous job does not walk the fleet")
		require.Equal(t, []identity.PeerID{"a", "b", "c", "d"}, y.chosen)

		few := newNodePool("a")
		few.behave = y.behave
		m = serve(t, few, Config{})
		_, err = m.Submit(t.Context(), admit(t, nil))
		require.ErrorIs(t, err, ErrAttempts)
		require.ErrorIs(t, err, errNobody, "nobody was left to try")
		var job *JobError
		require.ErrorAs(t, err, &job)

		_, err = serve(t, newNodePool(), Config{}).Submit(t.Context(), admit(t, nil))
		require.ErrorIs(t, err, errNobody)
		require.NotErrorIs(t, err, ErrAttempts)
	})
}

// A node that answers "busy" has not failed: the job comes back to it, and the
// answers do not use up its attempts.
func TestBusyIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a")
		answers := 0
		y.behave = func(_ context.Context, _ governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
			if answers++; answers <= 5 {
				return mesh.JobOutcome{Code: mesh.JobBusy}, nil
			}
			return mesh.JobOutcome{Node: n}, nil
		}
		m := serve(t, y, Config{})
		freed := time.NewTicker(10 * time.Second)
		defer freed.Stop()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-freed.C: // the node reports a slot
					y.mu.Lock()
					y.full["a"] = false
					y.mu.Unlock()
					m.Kick()
				case <-stop:
					return
				}
			}
		}()
		r, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.Len(t, r.Attempts, 6)
		require.Equal(t, 6, answers)
	})
}

// A job that eight nodes in a row told that they are busy waits for news, and the
// others that wait for the same do not.
func TestManyBusyAnswersAreStaleNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := make([]identity.PeerID, 20)
		for i := range nodes {
			nodes[i] = identity.PeerID(fmt.Sprint("node ", i))
		}
		y := newNodePool(nodes...)
		y.behave = func(_ context.Context, j governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
			if j.Priority == 1 && len(y.ran()) <= 10 {
				return mesh.JobOutcome{Code: mesh.JobBusy}, nil
			}
			return mesh.JobOutcome{Node: n}, nil
		}
		m := serve(t, y, Config{Recheck: time.Hour})
		first := send(t, m, func(j *governance.Job) { j.Priority = 1 })
		require.Len(t, y.ran(), busyInARow)
		require.Equal(t, 1, m.Waiting())
		_, err := m.Submit(t.Context(), admit(t, nil)) // its Done kicks
		require.NoError(t, err)
		synctest.Wait()
		require.Zero(t, m.Waiting())
		ran := y.ran()
		require.Equal(t, first, ran[len(ran)-1])
	})
}

// The history of a job that meets many busy nodes keeps its first and newest attempts.
func TestAttemptsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newNodePool("a")
		answers := 0
		y.behave = func(_ context.Context, _ governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
			if answers++; answers <= 100 {
				return mesh.JobOutcome{Code: mesh.JobBusy, Reason: fmt.Sprint("answer ", answers)}, nil
			}
			return mesh.JobOutcome{Node: n}, nil
		}
		m := serve(t, y, Config{Recheck: time.Second})
		y.forget = true
		r, err := m.Submit(t.Context(), admit(t, nil))
		require.NoError(t, err)
		require.Len(t, r.Attempts, attemptsKept)
		var said *JobError
		require.ErrorAs(t, r.Attempts[0].Err, &said)
		require.Equal(t, "answer 1", said.Reason)
		require.ErrorAs(t, r.Attempts[1].Err, &said)
		require.Equal(t, "answer 39", said.Reason)
		require.NoError(t, r.Attempts[attemptsKept-1].Err)
	})
}

// Two strangers that say the same of a run may be one: the next node is asked, and what
// all say is the capsule's answer.
func TestTwoStrangersAreNoWitnesses(t *testing.T) {
	for _, honest := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			y := newNodePool("a", "b", "c")
			y.strangers = true
			y.behave = func(_ context.Context, _ governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
				if n == "c" && honest {
					return mesh.JobOutcome{Node: n}, nil
				}
				return mesh.JobOutcome{Code: mesh.JobFailed}, nil
			}
			r, err := serve(t, y, Config{}).Submit(t.Context(), admit(t, nil))
			require.Len(t, r.Attempts, 3)
			if honest {
				require.NoError(t, err)
				return
			}
			var said *JobError
			require.ErrorAs(t, err, &said)
			require.Equal(t, mesh.JobFailed, said.Code)
			require.NotErrorIs(t, err, ErrAttempts)
		})
	}
}

// A node that has no memory left for what it has begun is paid for that: it is tried again, as a
// failed one would not be, and no more often than one may fail. This node itself is tried until
// there is room.
func TestWhatWasBegunAndPaidIsTriedAgain(t *testing.T) {
	for _, own := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			y := newNodePool("a")
			y.forget, y.vacant, y.own = true, true, own
			answers := 0
			y.behave = func(_ context.Context, _ governance.Job, n identity.PeerID) (mesh.JobOutcome, error) {
				answers++
				return mesh.JobOutcome{Code: mesh.JobBusy, Reason: "node_memory", Receipt: []byte("r"), Cost: 1}, nil
			}
			m := serve(t, y, Config{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := m.Submit(ctx, admit(t, nil))
			if own {
				require.NotErrorIs(t, err, ErrAttempts)
				require.Greater(t, answers, 3)
				return
			}
			require.ErrorIs(t, err, ErrAttempts)
			require.Equal(t, 3, answers)
		})
	}
}
