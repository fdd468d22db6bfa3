package scheduler

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

var epoch0 = time.Unix(1_700_000_000, 0)

// 500 seeded meshes of 1,000 nodes: the index and a scan of every node agree on
// every decision.
func TestThousandNodesAgainstBruteForce(t *testing.T) {
	const meshes, size, jobs = 500, 1000, 8
	decisions, found := 0, 0
	for seed := range uint64(meshes) {
		rng := rand.New(rand.NewPCG(seed, 1))
		x := New(Config{})
		nodes := make(map[identity.PeerID]Node, size)
		for i := range size {
			n := randomNode(rng, i, seed%2 == 0, epoch0)
			nodes[n.ID] = n
			require.NoError(t, x.Upsert(n, epoch0))
		}
		for job := range jobs {
			r := randomRequest(rng, job, size)
			now := epoch0.Add(time.Duration(rng.Int64N(int64(30 * time.Second))))
			want, score, ok := bruteForce(nodes, r, now)
			got, err := x.Choose(r, now)
			decisions++
			if !ok {
				require.Error(t, err, "seed %d job %d", seed, job)
				continue
			}
			found++
			require.NoError(t, err, "seed %d job %d %+v", seed, job, r)
			require.Equal(t, want.ID, got.Node.ID, "seed %d job %d", seed, job)
			require.Equal(t, score, got.Score, "seed %d job %d", seed, job)
		}
	}
	t.Logf("%d decisions over %d meshes, %d with a winner, every one the optimum", decisions, meshes, found)
}
