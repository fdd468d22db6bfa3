package credit

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/identity"
	"inos/internal/testkit"
)

func TestReputation(t *testing.T) {
	r := NewReputation(ReputationConfig{Max: 100})
	good, bad, odd := testkit.Peer(1), testkit.Peer(2), testkit.Peer(3)
	score, confidence := r.Of(good, testNow)
	require.Equal(t, 0.5, score)
	require.Zero(t, confidence)
	for range 20 {
		r.Note(good, DeedDone, testNow)
		r.Note(bad, DeedFailed, testNow)
		r.Note(odd, DeedDone, testNow)
	}
	r.Note(odd, DeedDisagree, testNow)
	score, confidence = r.Of(good, testNow)
	require.Greater(t, score, 0.85)
	require.Greater(t, confidence, 0.75)
	score, _ = r.Of(bad, testNow)
	require.Less(t, score, 0.15)
	require.Less(t, r.Factor(odd, testNow), r.Factor(good, testNow))
	// A month later nobody knows them any more.
	score, confidence = r.Of(bad, testNow.Add(30*24*time.Hour))
	require.InDelta(t, 0.5, score, 1e-6)
	require.InDelta(t, 0, confidence, 1e-6)
	// A flood of unknown nodes does not push out one that misbehaved.
	for i := range 10_000 {
		r.Note(identity.PeerID(fmt.Sprint(i)), DeedDone, testNow)
	}
	require.LessOrEqual(t, len(r.of), 100)
	score, _ = r.Of(bad, testNow)
	require.Less(t, score, 0.15)
}

// In any order of deeds and with any clock, scores stay in (0,1), and decay only moves them
// towards neutral.
func TestReputationStaysInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := NewReputation(ReputationConfig{})
		now := testNow
		for range rapid.IntRange(1, 50).Draw(t, "deeds") {
			now = now.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "clock")))
			r.Note(testkit.Peer(1), Deed(rapid.IntRange(0, 4).Draw(t, "deed")), now)
			s, c := r.Of(testkit.Peer(1), now)
			require.True(t, s > 0 && s < 1 && c >= 0 && c < 1, "%v %v", s, c)
			later, _ := r.Of(testkit.Peer(1), now.Add(time.Hour))
			require.LessOrEqual(t, math.Abs(later-0.5), math.Abs(s-0.5)+1e-12)
		}
	})
}

func TestMeter(t *testing.T) {
	m := Meter{Rate: 1_000_000, Max: 2_500_000}
	require.EqualValues(t, 0, m.Cost(-1))
	require.EqualValues(t, 1, m.Cost(1))
	require.EqualValues(t, 1_000_000, m.Cost(time.Second))
	require.EqualValues(t, 2_500_000, m.Cost(time.Hour))
	require.False(t, m.Dry(2499*time.Millisecond))
	require.True(t, m.Dry(2500*time.Millisecond))
	require.Equal(t, 2500*time.Millisecond, m.Lasts())
	require.False(t, Meter{}.Dry(time.Hour))
	require.True(t, Meter{Rate: 1}.Dry(0))
	rapid.Check(t, func(t *rapid.T) {
		m := Meter{Rate: rapid.Uint64().Draw(t, "rate"), Max: rapid.Uint64().Draw(t, "max")}
		d := time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "ran"))
		require.LessOrEqual(t, m.Cost(d), m.Max)
		if m.Rate > 0 && m.Lasts() < math.MaxInt64 && m.Max > 0 {
			require.True(t, m.Dry(m.Lasts()+1))
		}
	})
}

func TestReputationSaves(t *testing.T) {
	r, back := NewReputation(ReputationConfig{}), NewReputation(ReputationConfig{})
	for n := range byte(5) {
		r.Note(testkit.Peer(n), Deed(n%4), testNow)
	}
	saved := r.Save()
	require.NoError(t, back.Load(saved))
	require.Equal(t, r.of, back.of)
	for cut := range saved {
		_ = back.Load(saved[:cut])
	}
	require.ErrorIs(t, back.Load(nil), ErrCorrupt)
	require.ErrorIs(t, back.Load(append(saved, 1)), ErrCorrupt)
}

func FuzzReputationLoad(f *testing.F) {
	r := NewReputation(ReputationConfig{})
	r.Note(testkit.Peer(1), DeedLate, testNow)
	f.Add(r.Save())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReputation(ReputationConfig{})
		if err := r.Load(b); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		for node := range r.of {
			s, _ := r.Of(node, testNow)
			require.True(t, s >= 0 && s <= 1)
		}
	})
}

func TestOverdraft(t *testing.T) {
	o := Overdraft{Grace: time.Minute}
	at := func(s int) time.Time { return testNow.Add(time.Duration(s) * time.Second) }
	for i, step := range []struct {
		dry  bool
		s    int
		want Action
	}{{false, 0, ActionNone}, {true, 1, ActionPause}, {true, 2, ActionNone}, {false, 3, ActionResume}, {false, 4, ActionNone},
		{true, 10, ActionPause}, {true, 69, ActionNone}, {true, 70, ActionKill}, {true, 71, ActionNone}, {false, 72, ActionNone}} {
		require.Equal(t, step.want, o.Observe(step.dry, at(step.s)), "step %d", i)
	}
	_, due := o.Next()
	require.False(t, due)
	require.Equal(t, "kill", ActionKill.String())
}

func TestBoundForgivesAFewMilliseconds(t *testing.T) {
	require.EqualValues(t, 50, Bound(1000, 0))
	require.EqualValues(t, 50, Bound(1000, -time.Hour))
	require.EqualValues(t, 64_000+1_000+50, Bound(1000, 64*time.Second))
	require.EqualValues(t, 1, Bound(0, 0), "a price of nothing counts as one, as in the score")
	require.EqualValues(t, uint64(maxAmount), Bound(1<<63, 100*time.Hour))
}
