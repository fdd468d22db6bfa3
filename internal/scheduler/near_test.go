package scheduler

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
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
