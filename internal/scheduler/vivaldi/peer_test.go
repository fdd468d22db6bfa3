//go:build !js

package vivaldi

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/serf/coordinate"
	"github.com/stretchr/testify/require"
)

// The same measurements, in the same order, given to hashicorp/serf's coordinates,
// which do not compile for js/wasm: ours estimate as well.
func TestAsGoodAsSerf(t *testing.T) {
	const size, seed, neighbours, rounds = 300, 4, 16, 300
	rtt := matrix(rand.New(rand.NewPCG(seed, 1)), size)
	ours := settle(rand.New(rand.NewPCG(seed, 2)), rtt, neighbours, rounds)
	theirs := settleSerf(t, rand.New(rand.NewPCG(seed, 2)), rtt, neighbours, rounds)
	median := func(estimate func(i, j int) time.Duration) float64 {
		var off []float64
		for i := range size {
			for j := range i {
				off = append(off, math.Abs(float64(estimate(i, j)-rtt[i][j]))/float64(rtt[i][j]))
			}
		}
		slices.Sort(off)
		return off[len(off)/2]
	}
	here := median(func(i, j int) time.Duration { return Estimate(ours[i].Point(), ours[j].Point()) })
	there := median(func(i, j int) time.Duration { return theirs[i].DistanceTo(theirs[j].GetCoordinate()) })
	t.Logf("median relative error: ours, %d dimensions, %.1f %%; serf's, 8 dimensions, %.1f %%", Dimensions, 100*here, 100*there)
	require.Less(t, here, 1.15*there)
}

// settleSerf is settle for serf's clients.
func settleSerf(t *testing.T, rng *rand.Rand, rtt [][]time.Duration, neighbours, rounds int) []*coordinate.Client {
	nodes := make([]*coordinate.Client, len(rtt))
	peers := make([][]int, len(rtt))
	for i := range nodes {
		var err error
		nodes[i], err = coordinate.NewClient(coordinate.DefaultConfig())
		require.NoError(t, err)
		for range neighbours {
			peers[i] = append(peers[i], (i+1+rng.IntN(len(rtt)-1))%len(rtt))
		}
	}
	for range rounds {
		for i, n := range nodes {
			j := peers[i][rng.IntN(neighbours)]
			noisy := float64(rtt[i][j]) * (1 + 0.1*rng.ExpFloat64())
			_, err := n.Update(fmt.Sprint(j), nodes[j].GetCoordinate(), time.Duration(noisy))
			require.NoError(t, err)
		}
	}
	return nodes
}
