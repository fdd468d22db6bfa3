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
		m := newScriptedMesh(10)
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
		require.Positive(t, failuresOf(t, k, m.best))
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) { require.Zero(t, s.nodes.Placed()) }))
		require.Less(t, r.Factor(m.best, time.Now()), 1.0)
	})
}

// A run that takes longer than the patience goes on for as long as its node reports
// something new; a repeated report is no news.
func TestProgressIsASignOfLife(t *testing.T) {
	for _, moves := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m := newScriptedMesh(3)
			m.script = func(ctx context.Context, p identity.PeerID, call mesh.JobCall, onProgress func(mesh.Progress)) (mesh.JobOutcome, error, bool) {
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
		m := newScriptedMesh(5)
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
			for _, p := range m.peers {
				all = append(all, failuresOf(t, k, p.Profile.Peer))
			}
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
		m := newScriptedMesh(1)
		k := startOn(t, m, nil)
		hang := true
		m.hangs(func(identity.PeerID) bool { return hang })
		const times = 3 // as many failures with different capsules count
		for i := range 3 * times {
			hang = i%times != 0
			_, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) {
				s.Job.Deadline, s.Job.Capsule = time.Now().Add(5*time.Second), capsule.SumCID(fmt.Append(nil, i)).String()
			}))
			require.Equal(t, hang, err != nil)
		}
		require.Zero(t, failuresOf(t, k, m.best))
	})
}

// A copy that is late, when the others have agreed without it, is its node's fault.
func TestALateCopyIsItsNodesFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScriptedMesh(3)
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
		require.Positive(t, failuresOf(t, k, m.best))
	})
}
