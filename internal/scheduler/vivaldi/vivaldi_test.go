package vivaldi

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/identity"
	"inos/internal/scheduler"
)

// matrix makes the round trips of n nodes: cities on a sphere some way apart, nodes
// near them, an access line of its own for each node, and for each pair a route
// that is longer than the straight line by a factor of its own.
func matrix(rng *rand.Rand, n int) [][]time.Duration {
	const cities, radius = 12, 40e-3 // seconds of one way round trip to the centre
	city := make([][3]float64, cities)
	for i := range city {
		norm := 0.0
		for d := range city[i] {
			city[i][d] = rng.NormFloat64()
			norm += city[i][d] * city[i][d]
		}
		for d := range city[i] {
			city[i][d] *= radius / math.Sqrt(norm)
		}
	}
	type place struct {
		at     [3]float64
		access float64
	}
	places := make([]place, n)
	for i := range places {
		places[i].at = city[rng.IntN(cities)]
		for d := range places[i].at {
			places[i].at[d] += 2e-3 * rng.NormFloat64()
		}
		places[i].access = 1e-3 + 6e-3*rng.ExpFloat64()
	}
	rtt := make([][]time.Duration, n)
	for i := range rtt {
		rtt[i] = make([]time.Duration, n)
		for j := range i {
			d := 0.0
			for k := range places[i].at {
				v := places[i].at[k] - places[j].at[k]
				d += v * v
			}
			route := math.Exp(0.15 * rng.NormFloat64())
			s := math.Sqrt(d)*route + places[i].access + places[j].access
			rtt[i][j] = time.Duration(s * float64(time.Second))
			rtt[j][i] = rtt[i][j]
		}
	}
	return rtt
}

// settle lets every node measure a few others, with noise, and returns the nodes.
func settle(rng *rand.Rand, rtt [][]time.Duration, neighbours, rounds int) []*Node {
	nodes := make([]*Node, len(rtt))
	peers := make([][]int, len(rtt))
	for i := range nodes {
		nodes[i] = New(uint64(i))
		for range neighbours {
			peers[i] = append(peers[i], (i+1+rng.IntN(len(rtt)-1))%len(rtt))
		}
	}
	for range rounds {
		for i, n := range nodes {
			j := peers[i][rng.IntN(neighbours)]
			noisy := float64(rtt[i][j]) * (1 + 0.1*rng.ExpFloat64())
			n.Update(nodes[j].Point(), time.Duration(noisy))
		}
	}
	return nodes
}

// On a synthetic latency matrix: how far estimates are off for pairs that never
// met, and how much of the optimum the scheduler keeps when it scores with
// estimates instead of the truth.
func TestEstimates(t *testing.T) {
	const size, seed, neighbours, rounds = 300, 4, 16, 300
	rng := rand.New(rand.NewPCG(seed, 1))
	rtt := matrix(rng, size)
	nodes := settle(rng, rtt, neighbours, rounds)
	var off []float64
	for i := range nodes {
		for j := range i {
			guess := Estimate(nodes[i].Point(), nodes[j].Point())
			off = append(off, math.Abs(float64(guess-rtt[i][j]))/float64(rtt[i][j]))
		}
	}
	slices.Sort(off)
	median, p90 := off[len(off)/2], off[len(off)*9/10]

	cost := make([]uint64, size)
	for i := range cost {
		cost[i] = 100 + rng.Uint64N(400)
	}
	// kept is the mean share of the best score, when the first of the nodes that
	// latency makes best are measured before the choice.
	kept := func(measured int, latency func(i, j int) time.Duration) float64 {
		sum, decisions := 0.0, 0
		for i := range 100 {
			x := scheduler.New(scheduler.Config{})
			now := time.Unix(1e9, 0)
			best := 0.0
			for j := range size {
				if i == j {
					continue
				}
				n := scheduler.Node{ID: identity.PeerID(rune(1000 + j)), CreditCost: cost[j], FreeSlots: 1, Expires: now.Add(time.Hour)}
				n.Latency = rtt[i][j]
				best = max(best, scheduler.Formula{}.Score(n))
				n.Latency = latency(i, j)
				require.NoError(t, x.Upsert(n, now))
			}
			top := make([]scheduler.Choice, measured)
			k, err := x.TopK(scheduler.Request{JobID: "job"}, now, top)
			require.NoError(t, err)
			truth := 0.0
			for _, c := range top[:k] {
				j := int([]rune(string(c.Node.ID))[0]) - 1000
				truth = max(truth, scheduler.Formula{}.Score(scheduler.Node{Latency: rtt[i][j], CreditCost: cost[j]}))
			}
			sum += truth / best
			decisions++
		}
		return sum / float64(decisions)
	}
	estimate := func(i, j int) time.Duration { return Estimate(nodes[i].Point(), nodes[j].Point()) }
	estimated, checked := kept(1, estimate), kept(8, estimate)
	blind := kept(1, func(int, int) time.Duration { return 100 * time.Millisecond })
	t.Logf("seed %d, %d nodes, %d neighbours: median relative error %.1f %%, p90 %.0f %%; of the optimal score the scheduler keeps %.0f %% with estimates, %.0f %% when it measures the 8 that look best first, %.0f %% with one latency for all",
		seed, size, neighbours, 100*median, 100*p90, 100*estimated, 100*checked, 100*blind)
	require.Less(t, median, 0.2)
	require.Greater(t, estimated, 0.6)
	require.Greater(t, checked, 0.85)
	require.Greater(t, estimated, 1.5*blind)
}

// Whatever a peer says, the coordinate stays one that can be published.
func TestLiesDoNoHarm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := New(rapid.Uint64().Draw(t, "seed"))
		for range rapid.IntRange(1, 50).Draw(t, "samples") {
			p := Point{
				Vec:    rapid.SliceOfN(rapid.Float64(), 0, 6).Draw(t, "vec"),
				Height: rapid.Float64().Draw(t, "height"), Error: rapid.Float64().Draw(t, "error"),
			}
			before := n.Point()
			used := n.Update(p, time.Duration(rapid.Int64().Draw(t, "rtt")))
			if !used {
				require.Equal(t, before, n.Point())
			}
			require.True(t, n.Point().Valid(), "%+v", n.Point())
		}
	})
	for _, p := range []Point{{}, {Vec: []float64{0, 0, 0, math.NaN()}}, {Vec: make([]float64, Dimensions), Height: math.Inf(1)}, {Vec: make([]float64, Dimensions), Error: -1}} {
		require.False(t, p.Valid(), "%+v", p)
	}
}
