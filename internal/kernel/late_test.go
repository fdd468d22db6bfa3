package kernel

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// A node that accepts jobs and never answers holds each up for a while, and three of
// them only.
func TestASilentNodeIsPassedBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newActing(10)
		m.hangs(func(p identity.PeerID) bool { return p == m.best })
		r := credit.NewReputation(credit.ReputationConfig{})
		k := startOn(t, m, func(c *Config) { c.Reputation, c.Silence = r, 5*time.Second })
		for range 50 {
			out, err := k.Dispatch(t.Context(), submission("x", nil))
			require.NoError(t, err)
			require.LessOrEqual(t, out.Total, 5*time.Second)
		}
		require.Equal(t, 1, m.at(m.best), "there is doubt, and others are free")
		for range 60 {
			time.Sleep(2 * time.Second)
			_, err := k.Dispatch(t.Context(), submission("x", nil))
			require.NoError(t, err)
		}
		require.LessOrEqual(t, m.at(m.best), 3)
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			n, _ := s.index.Node(m.best)
			require.Positive(t, n.Failures)
			require.Zero(t, s.placements)
		}))
		require.Less(t, r.Factor(m.best, time.Now()), 1.0)
	})
}

// A run that takes longer than the patience goes on for as long as its node reports
// something new; a repeated report is no news.
func TestProgressIsASignOfLife(t *testing.T) {
	for _, moves := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m := newActing(3)
			m.act = func(ctx context.Context, p identity.PeerID, call mesh.JobCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error, bool) {
				if p != m.best {
					return mesh.JobOutcome{}, nil, false
				}
				for i := range 40 {
					progress := mesh.Progress{Cost: 1}
					if moves {
						progress.Cost = uint64(i)
					}
					onProgress(progress)
					select {
					case <-time.After(time.Second):
					case <-ctx.Done():
						return mesh.JobOutcome{}, mesh.ContextError(ctx), true
					}
				}
				return mesh.JobOutcome{Node: p, Output: call.Input, OutputCID: capsule.SumCID(call.Input).String()}, nil, true
			}
			k := startOn(t, m, nil)
			out, err := k.Dispatch(t.Context(), submission("x", nil))
			require.NoError(t, err)
			require.Equal(t, moves, out.Node == m.best)
			if moves {
				require.Equal(t, 40*time.Second, out.Total)
			} else {
				require.Equal(t, 20*time.Second, out.Total, "a third of its minute")
			}
		})
	}
}

// A job that hangs wherever it runs marks no node, however often it is sent; different
// ones that hang on one node do.
func TestJobsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newActing(5)
		m.hangs(func(identity.PeerID) bool { return true })
		r := credit.NewReputation(credit.ReputationConfig{})
		k := startOn(t, m, func(c *Config) { c.Reputation = r })
		send := func(name string, change func(*Submission)) {
			out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) {
				s.Job.Deadline, s.Job.Capsule = time.Now().Add(20*time.Second), capsule.SumCID([]byte(name)).String()
				if change != nil {
					change(s)
				}
			}))
			require.ErrorIs(t, err, matchmaker.ErrDeadline)
			require.NotEmpty(t, out.Attempts)
		}
		failures := func() (all []float64) {
			require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
				for _, p := range m.peers {
					n, _ := s.index.Node(p.Profile.Peer)
					all = append(all, n.Failures)
				}
			}))
			return all
		}
		for range 20 {
			send("poison", nil)
		}
		require.Equal(t, make([]float64, 5), failures())
		for _, p := range m.peers {
			require.Equal(t, 1.0, r.Factor(p.Profile.Peer, time.Now()), "late says nothing by itself")
		}
		only := func(s *Submission) {
			for _, p := range m.peers {
				if p.Profile.Peer != m.best {
					s.Job.Requirements.Exclude = append(s.Job.Requirements.Exclude, string(p.Profile.Peer))
				}
			}
		}
		send("a second one", only)
		require.Equal(t, make([]float64, 5), failures())
		send("a third one", only)
		all := failures()
		require.Positive(t, all[2], "three different ones, and none that it has done")
		require.Less(t, r.Factor(m.best, time.Now()), 1.0)
	})
}

// A node that does a job now and then is not blamed for those that hang on it.
func TestAGoodJobInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newActing(1)
		k := startOn(t, m, nil)
		hang := true
		m.hangs(func(identity.PeerID) bool { return hang })
		for i := range 3 * failedWith {
			hang = i%failedWith != 0
			_, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) {
				s.Job.Deadline, s.Job.Capsule = time.Now().Add(5*time.Second), capsule.SumCID(fmt.Append(nil, i)).String()
			}))
			require.Equal(t, hang, err != nil)
		}
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			n, _ := s.index.Node(m.best)
			require.Zero(t, n.Failures)
		}))
	})
}

// A copy that another one has outrun is not to blame, however it ended.
func TestOutrunIsNoFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newActing(2)
		k := startOn(t, m, nil)
		failures := func(err error) (f float64) {
			require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
				s.settleBlame(kindOfJob{}, m.peers[0].Profile.Peer, []matchmaker.Attempt{{Node: m.best, Err: err}}, time.Now())
				n, _ := s.index.Node(m.best)
				f = n.Failures
			}))
			return f
		}
		require.Zero(t, failures(fmt.Errorf("%w: %w", matchmaker.ErrOutrun, mesh.ErrTimeout)))
		require.Zero(t, failures(fmt.Errorf("%w: %w", mesh.ErrUnsent, mesh.ErrUnreachable)), "it never had the job")
		require.Positive(t, failures(mesh.ErrUnreachable))
		require.Greater(t, failures(mesh.ErrTimeout), 1.0)
	})
}

// A copy that is late, when the others have agreed without it, is its node's fault.
func TestALateCopyIsItsNodesFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newActing(3)
		m.hangs(func(p identity.PeerID) bool { return p == m.best })
		r := credit.NewReputation(credit.ReputationConfig{})
		k := startOn(t, m, func(c *Config) { c.Reputation = r })
		out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) {
			s.Job.Replicas, s.Job.Budget, s.Job.Deadline = 3, 100, time.Now().Add(20*time.Second)
		}))
		require.NoError(t, err)
		require.Zero(t, out.Total)
		require.Equal(t, 1.0, r.Factor(m.best, time.Now()))
		time.Sleep(30 * time.Second)
		require.Less(t, r.Factor(m.best, time.Now()), 1.0)
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			n, _ := s.index.Node(m.best)
			require.Positive(t, n.Failures)
		}))
	})
}
