package kernel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/scheduler"
)

// What nodes() shows is what choices go by: failures and reputation included.
func TestNodesShowTheScoreThatCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newActing(3)
		r := credit.NewReputation(credit.ReputationConfig{})
		k := startOn(t, m, func(c *Config) { c.Reputation = r })
		agree := func(s *state) float64 {
			c, err := s.index.Choose(scheduler.Request{JobID: "j"}, time.Now())
			require.NoError(t, err)
			require.Equal(t, m.best, c.Node.ID)
			for _, n := range s.list() {
				if n.Profile.Peer == m.best {
					require.Equal(t, c.Score, n.Score)
				}
			}
			return c.Score
		}
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			stranger := agree(s)
			require.Equal(t, 1000.0, stranger)
			s.index.RecordFailure(m.best, time.Now())
			require.Equal(t, stranger/2, agree(s))
			for range 50 {
				s.note(m.best, credit.DeedDone, time.Now())
			}
			f := r.Factor(m.best, time.Now())
			require.Greater(t, f, 1.1)
			require.InDelta(t, stranger/2*f, agree(s), factorStep*stranger)
		}))
		time.Sleep(50 * time.Minute) // it fades, without any job
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			f := r.Factor(m.best, time.Now())
			require.InDelta(t, 1000*f, agree(s), 2*factorStep*1000)
		}))
	})
}

// A node that comes back, or is heard of for the first time, counts with what is
// remembered of it from the start.
func TestReputationIsThereFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newActing(2)
		r := credit.NewReputation(credit.ReputationConfig{})
		for range 50 {
			r.Note(m.best, credit.DeedFailed, time.Now())
		}
		k := startOn(t, m, func(c *Config) { c.Reputation = r })
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			c, err := s.index.Choose(scheduler.Request{JobID: "j"}, time.Now())
			require.NoError(t, err)
			require.InDelta(t, 1000*r.Factor(m.best, time.Now()), c.Score, 1)
			require.Less(t, c.Score, 900.0)
			parts := s.index.Parts(c.Node)
			require.Equal(t, "reputation", parts[len(parts)-1].Name)
			s.forget(m.best, time.Now())
			require.Empty(t, s.factors)
		}))
	})
}
