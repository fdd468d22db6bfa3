package scheduler

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/identity"
)

// optimum is the highest total of an assignment of rows to columns, every one used
// once at most (the Hungarian method with potentials, O(rows^2 columns)).
func optimum(worth [][]float64, columns int) float64 {
	rows := len(worth)
	columns = max(columns, rows)
	cost := func(i, j int) float64 {
		if j > len(worth[i-1]) {
			return 0
		}
		return -worth[i-1][j-1]
	}
	u, v := make([]float64, rows+1), make([]float64, columns+1)
	owner, way := make([]int, columns+1), make([]int, columns+1)
	for i := 1; i <= rows; i++ {
		owner[0] = i
		j0 := 0
		least := make([]float64, columns+1)
		used := make([]bool, columns+1)
		for j := range least {
			least[j] = math.Inf(1)
		}
		for {
			used[j0] = true
			i0, delta, j1 := owner[j0], math.Inf(1), 0
			for j := 1; j <= columns; j++ {
				if used[j] {
					continue
				}
				if cur := cost(i0, j) - u[i0] - v[j]; cur < least[j] {
					least[j], way[j] = cur, j0
				}
				if least[j] < delta {
					delta, j1 = least[j], j
				}
			}
			for j := range used {
				if used[j] {
					u[owner[j]] += delta
					v[j] -= delta
				} else {
					least[j] -= delta
				}
			}
			if j0 = j1; owner[j0] == 0 {
				break
			}
		}
		for j0 != 0 {
			owner[j0] = owner[way[j0]]
			j0 = way[j0]
		}
	}
	total := 0.0
	for j := 1; j <= columns; j++ {
		if owner[j] > 0 {
			total -= cost(owner[j], j)
		}
	}
	return total
}

// worthOf is what every job is worth on every slot of every node.
func worthOf(x *Index, nodes map[identity.PeerID]Node, reqs []Request) (worth [][]float64, columns int) {
	worth = make([][]float64, len(reqs))
	for _, n := range nodes {
		for k := range n.FreeSlots {
			after, _ := x.Node(n.ID)
			after.InFlight += k
			score := Formula{}.Score(after)
			columns++
			for i, r := range reqs {
				if meets(n, r, epoch0) {
					worth[i] = append(worth[i], score)
				} else {
					worth[i] = append(worth[i], 0)
				}
			}
		}
	}
	return worth, columns
}

// On small cases the batch is the true optimum, never behind one by one, gives as
// many jobs a node as can have one, and no slot twice.
func TestAssignIsOptimal(t *testing.T) {
	better := 0
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		x := New(Config{})
		nodes := make(map[identity.PeerID]Node)
		size := rapid.IntRange(1, 14).Draw(t, "nodes")
		coarse := rapid.Bool().Draw(t, "coarse")
		for i := range size {
			n := randomNode(rng, i, coarse, epoch0)
			nodes[n.ID] = n
			require.NoError(t, x.Upsert(n, epoch0))
		}
		reqs := make([]Request, rapid.IntRange(1, 16).Draw(t, "jobs"))
		for i := range reqs {
			reqs[i] = randomRequest(rng, i, size)
			if i > 0 && rng.IntN(3) == 0 { // alike but for the job
				id := reqs[i].JobID
				reqs[i] = reqs[rng.IntN(i)]
				reqs[i].JobID = id
			}
		}
		got := make([]Choice, len(reqs))
		placed := x.Assign(reqs, epoch0, got)

		used := make(map[identity.PeerID]uint32)
		total, count := 0.0, 0
		for i, c := range got {
			if c.Node.ID == "" {
				continue
			}
			count++
			total += c.Score
			used[c.Node.ID]++
			require.True(t, meets(nodes[c.Node.ID], reqs[i], epoch0))
		}
		require.Equal(t, placed, count)
		for id, n := range used {
			require.LessOrEqual(t, n, nodes[id].FreeSlots)
		}
		worth, columns := worthOf(x, nodes, reqs)
		want := optimum(worth, columns)
		require.InDelta(t, want, total, 1e-9*max(want, 1))
		ones := make([][]float64, len(worth))
		for i := range worth {
			for _, w := range worth[i] {
				ones[i] = append(ones[i], min(1, math.Ceil(w)))
			}
		}
		require.InDelta(t, optimum(ones, columns), float64(placed), 1e-9, "as many as can")

		greedy := 0.0
		for _, r := range reqs {
			if c, err := x.Choose(r, epoch0); err == nil {
				_, ok := x.Acquire(c.Node.ID, epoch0)
				require.True(t, ok)
				greedy += c.Score
			}
		}
		require.GreaterOrEqual(t, total, greedy-1e-9*greedy)
		if total > greedy*(1+1e-9) {
			better++
		}
	})
	t.Logf("better than one by one in %d of the cases", better)
}

// When not all can have a node, the earlier jobs do.
func TestAssignKeepsTheOrder(t *testing.T) {
	x := New(Config{})
	require.NoError(t, x.Upsert(node("a", 2, 1), epoch0))
	reqs := make([]Request, MaxBatch+1)
	for i := range reqs {
		reqs[i].JobID = fmt.Sprint("job-", i)
	}
	reqs[0].GeoPrefix = "?" // bad: gets nothing, holds up nobody
	got := make([]Choice, len(reqs))
	require.Equal(t, 2, x.Assign(reqs, epoch0, got))
	require.Empty(t, got[0].Node.ID)
	require.NotEmpty(t, got[1].Node.ID)
	require.NotEmpty(t, got[2].Node.ID)
	require.Greater(t, got[1].Score+got[2].Score, 0.0)
	require.Zero(t, x.Assign(nil, epoch0, nil))
}

func BenchmarkAssign64(b *testing.B) {
	x, _ := benchMesh(100_000)
	reqs := make([]Request, MaxBatch)
	for i := range reqs {
		reqs[i] = Request{JobID: fmt.Sprint("job-", i), Capabilities: capabilityNames[i%8 : i%8+1]}
	}
	dst := make([]Choice, len(reqs))
	for b.Loop() {
		x.Assign(reqs, epoch0, dst)
	}
}
