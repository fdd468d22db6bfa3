package placement

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler/vivaldi"
)

// at is a coordinate that is ms away along the first axis.
func at(ms, unknown float64) *mesh.Coordinate {
	v := make([]float64, vivaldi.Dimensions)
	v[0] = ms / 1000
	return &mesh.Coordinate{Vec: v, Error: unknown}
}

// A node that was never measured is scored by its coordinate, once both have
// settled, and by what it claims before.
func TestCoordinatesEstimateLatency(t *testing.T) {
	r := newFixture(t, nil)
	hear := func(id identity.PeerID, c *mesh.Coordinate) {
		p := r.profile(id, 1)
		p.Latency, p.Coordinate = time.Millisecond, c
		r.Hear(p, r.now)
	}
	latency := func(id identity.PeerID) time.Duration {
		n, ok := r.Info(id, r.now)
		require.True(t, ok)
		return n.Latency
	}
	estimated := func(id identity.PeerID) bool {
		n, _ := r.Info(id, r.now)
		return n.Estimated
	}
	hear("early", at(30, 0.1))
	require.Equal(t, 100*time.Millisecond, latency("early"), "this node knows nothing yet")
	hear("here", at(0, 0.1))
	hear("there", at(40, 0.1))
	for range 200 {
		r.Measured("here", 10*time.Millisecond)
		r.Measured("there", 50*time.Millisecond)
	}
	hear("stranger", at(40, 0.1))
	require.InDelta(t, 50, float64(latency("stranger"))/1e6, 5, "as far as the node beside it")
	require.True(t, estimated("stranger"))
	require.False(t, estimated("here"), "measured")
	hear("newcomer", at(40, 1))
	require.Equal(t, 100*time.Millisecond, latency("newcomer"), "not settled")
	require.False(t, estimated("newcomer"))
	hear("flat", &mesh.Coordinate{Vec: []float64{1}, Error: 0.1})
	require.Equal(t, 100*time.Millisecond, latency("flat"), "another space")
	hear("liar", at(-1e6, 0))
	require.Equal(t, 100*time.Millisecond, latency("liar"))
	c := r.Coordinate()
	p, ok := pointOf(c)
	require.True(t, ok)
	require.Less(t, p.Error, unsettled)
	own := r.profile("home", 1)
	own.Coordinate = c
	require.NoError(t, own.Check(r.now))
}

// A coordinate that puts a node right here does not make it nearer than a measured one
// could be.
func TestAnEstimateHasAFloor(t *testing.T) {
	r := newFixture(t, nil)
	near := r.profile("near", 1)
	near.Coordinate = at(0, 0.1)
	r.Hear(near, r.now)
	for range 200 {
		r.Measured("near", 100*time.Microsecond)
	}
	twin := r.profile("twin", 1)
	twin.Coordinate = &mesh.Coordinate{Vec: r.Coordinate().Vec, Error: 0.1}
	r.Hear(twin, r.now)
	info, known := r.Info("twin", r.now)
	require.True(t, known)
	require.Equal(t, leastEstimate, info.Latency)
}

// A node's own claim does not make it look good; measurements are a moving average.
func TestMeasurementsCount(t *testing.T) {
	r := newFixture(t, nil)
	for claim, want := range map[time.Duration]time.Duration{0: 100 * time.Millisecond, 300 * time.Millisecond: 300 * time.Millisecond} {
		p := r.profile(identity.PeerID(claim.String()), 1)
		p.Latency = claim
		r.Hear(p, r.now)
		info, _ := r.Info(p.Peer, r.now)
		require.Equal(t, want, info.Latency)
	}
	r.Measured("0s", 20*time.Millisecond)
	r.Measured("0s", 40*time.Millisecond)
	info, _ := r.Info("0s", r.now)
	require.True(t, info.Measured)
	require.Equal(t, 25*time.Millisecond, info.Latency, "a quarter of the way to the new sample")
}
