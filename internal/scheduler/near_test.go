package scheduler

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNear(t *testing.T) {
	const berlin, paris, sydney = "u33db", "u09tv", "r3gx2"
	s, err := NewNear(nil, berlin, 878)
	require.NoError(t, err)
	at := func(geo string) Node { n := node("a", 1, 1); n.GeoHash = geo; return n }
	require.InDelta(t, 878, s.distance(at(paris)), 8, "Berlin to Paris")
	require.InDelta(t, 16090, s.distance(at(sydney)), 50, "Berlin to Sydney")
	base := Formula{}.Score(at(paris))
	require.InDelta(t, base/2, s.Score(at(paris)), base/100)
	require.Greater(t, s.Score(at(sydney)), s.Score(at("")), "no place is the farthest")
	product := 1.0
	for _, p := range s.Parts(at(paris)) {
		product *= p.Value
	}
	require.InDelta(t, s.Score(at(paris)), product, 1e-12)

	x := New(Config{Scorer: s})
	near, far := at(paris), at(sydney)
	near.ID, far.ID = "near", "far"
	far.Latency -= far.Latency / 10 // a little better but for the distance
	require.NoError(t, x.Upsert(near, epoch0))
	require.NoError(t, x.Upsert(far, epoch0))
	c, err := x.Choose(Request{JobID: "j"}, epoch0)
	require.NoError(t, err)
	require.EqualValues(t, "near", c.Node.ID)

	for _, bad := range []string{"", "aaaa", "u33db!", "0123456789012"} {
		_, err := NewNear(nil, bad, 1)
		require.ErrorIs(t, err, ErrGeoHash, bad)
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		_, err := NewNear(nil, berlin, bad)
		require.ErrorIs(t, err, ErrScore)
	}
}

// The index is exact for any Scorer, not for the formula alone.
func TestNearIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 9))
		s, err := NewNear(nil, "u33db", 300)
		require.NoError(t, err)
		x := New(Config{Scorer: s})
		var nodes []Node
		for i := range rapid.IntRange(1, 200).Draw(t, "nodes") {
			n := randomNode(rng, i, false, epoch0)
			require.NoError(t, x.Upsert(n, epoch0))
			nodes = append(nodes, n)
		}
		for i := range 20 {
			r := randomRequest(rng, i, len(nodes))
			best := 0.0
			for _, n := range nodes {
				if known, _ := x.Node(n.ID); meets(n, r, epoch0) {
					best = max(best, s.Score(known))
				}
			}
			c, err := x.Choose(r, epoch0)
			require.Equal(t, best > 0, err == nil)
			require.Equal(t, best, c.Score)
		}
	})
}
