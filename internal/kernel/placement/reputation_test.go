package placement

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/scheduler"
)

// What Info shows is what choices go by: failures and reputation included.
func TestTheScoreShownIsTheScoreThatCounts(t *testing.T) {
	reputation := credit.NewReputation(credit.ReputationConfig{})
	r := newFixture(t, func(c *Config) { c.Reputation = reputation })
	r.meet("best", "b", "c")
	agree := func() float64 {
		c, err := r.index.Choose(scheduler.Request{JobID: "j"}, r.now)
		require.NoError(t, err)
		require.Equal(t, identity.PeerID("best"), c.Node.ID)
		info, _ := r.Info("best", r.now)
		require.Equal(t, c.Score, info.Score)
		return c.Score
	}
	stranger := agree()
	require.Equal(t, 100.0, stranger)
	for range 50 {
		r.Record("best", credit.DeedDone, r.now)
	}
	f := reputation.Factor("best", r.now)
	require.Greater(t, f, 1.1)
	require.InDelta(t, stranger*f, agree(), factorStep*stranger)
	r.index.RecordFailure("best", r.now)
	require.InDelta(t, stranger/2*f, agree(), factorStep*stranger)
	r.pass(50 * time.Minute) // it fades, without any job
	f = reputation.Factor("best", r.now)
	require.InDelta(t, stranger*f, agree(), 2*factorStep*stranger)
}

// A node that comes back, or is heard of for the first time, counts with what is
// remembered of it from the start.
func TestReputationIsThereFromTheStart(t *testing.T) {
	reputation := credit.NewReputation(credit.ReputationConfig{})
	r := newFixture(t, func(c *Config) { c.Reputation = reputation })
	for range 50 {
		reputation.Note("a", credit.DeedFailed, r.now)
	}
	r.meet("a")
	c, err := r.index.Choose(scheduler.Request{JobID: "j"}, r.now)
	require.NoError(t, err)
	require.InDelta(t, 100*reputation.Factor("a", r.now), c.Score, 0.1)
	require.Less(t, c.Score, 90.0)
	parts := r.index.Parts(c.Node)
	require.Equal(t, "reputation", parts[len(parts)-1].Name)
	for range maxMisses {
		r.Missed("a", r.now)
	}
	require.Equal(t, []identity.PeerID{"a"}, r.effects.gone)
	require.Empty(t, r.scorer.reputation)
}
