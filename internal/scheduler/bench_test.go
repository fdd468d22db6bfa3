package scheduler

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

// benchMesh returns the one mesh of n random nodes that all benchmarks share: a
// million take their time to make.
func benchMesh(n int) (*Index, []identity.PeerID) {
	m, ok := benchMeshes[n]
	if !ok {
		m.x = New(Config{})
		m.ids = fill(m.x, n)
		benchMeshes[n] = m
	}
	return m.x, m.ids
}

type mesh struct {
	x   *Index
	ids []identity.PeerID
}

var benchMeshes = make(map[int]mesh)

// fill adds n random nodes and returns their ids in random order.
func fill(x *Index, n int) []identity.PeerID {
	rng := rand.New(rand.NewPCG(1, 1))
	ids := make([]identity.PeerID, 0, n)
	for i := range n {
		v := randomNode(rng, i, false, epoch0)
		v.GeoHash = ""
		for range 6 {
			v.GeoHash += string(geoDigits[rng.IntN(32)])
		}
		v.Expires = epoch0.Add(time.Hour)
		if err := x.Upsert(v, epoch0); err != nil {
			panic(err)
		}
		ids = append(ids, v.ID)
	}
	rng.Shuffle(n, func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids
}

var benchRequests = []struct {
	name string
	r    Request
}{
	{"any", Request{}},
	{"caps", Request{Capabilities: []string{"gpu", "storage"}}},
	{"ceiling", Request{Capabilities: []string{"gpu"}, MaxCost: 500}},
	{"geo2", Request{Capabilities: []string{"gpu"}, GeoPrefix: "u4"}},
	{"geo4", Request{GeoPrefix: "u4pr"}},
	{"exclude", Request{Capabilities: []string{"gpu"}, Exclude: []identity.PeerID{"12D3KooWnode000001", "12D3KooWnode000002", "12D3KooWnode000003"}}},
}

func BenchmarkChoose(b *testing.B) {
	for _, n := range sizes() {
		x, _ := benchMesh(n)
		for _, c := range benchRequests {
			b.Run(fmt.Sprintf("%d/%s", n, c.name), func(b *testing.B) {
				b.ReportAllocs()
				ids := make([]string, 1024)
				for i := range ids {
					ids[i] = "0190c5f2-7f6e-7c3e-8a3b-" + strconv.Itoa(100000+i)
				}
				r := c.r
				for i := 0; b.Loop(); i++ {
					r.JobID = ids[i%len(ids)]
					_, _ = x.Choose(r, epoch0)
				}
			})
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, n := range sizes() {
		x, ids := benchMesh(n)
		rng := rand.New(rand.NewPCG(2, 2))
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_ = x.SetLatency(ids[i%n], time.Duration(rng.Int64N(int64(300*time.Millisecond))))
			}
		})
	}
}

// scanned is what the formula without an index has of a node: figures ready to be
// compared, nothing to look up. It is the fastest plain scan, and so the harshest
// comparison.
type scanned struct {
	mask    uint64
	latency float64 // ms
	cost    float64
	expires int64
	free    uint32
}

// BenchmarkScan is the formula over every node.
func BenchmarkScan(b *testing.B) {
	for _, n := range sizes() {
		x, _ := benchMesh(n)
		nodes := make([]scanned, 0, n)
		for slot := range x.nodes {
			v := x.node(int32(slot))
			nodes = append(nodes, scanned{x.caps.groups[x.nodes[slot].group].mask, latencyMs(v), creditCost(v), x.nodes[slot].expires, v.FreeSlots})
		}
		ids, _ := x.caps.resolve(nil, []string{"gpu", "storage"})
		need := uint64(0)
		for _, id := range ids {
			need |= maskOf(id)
		}
		now := unixNano(epoch0)
		b.Run(strconv.Itoa(n)+"/caps", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				best, winner := 0.0, -1
				for i := range nodes {
					v := &nodes[i]
					if v.mask&need != need || v.free == 0 || v.expires <= now {
						continue
					}
					if s := (1000 / v.latency) * (1 / v.cost); s > best {
						best, winner = s, i
					}
				}
				if winner < 0 {
					b.Fatal("nobody")
				}
			}
		})
	}
}

// BenchmarkScanProfiles is the same over profiles as they come, capabilities as
// names.
func BenchmarkScanProfiles(b *testing.B) {
	for _, n := range sizes()[:2] {
		x, _ := benchMesh(n)
		nodes := make(map[identity.PeerID]Node, n)
		for slot := range x.nodes {
			v := x.node(int32(slot))
			nodes[v.ID] = v
		}
		b.Run(strconv.Itoa(n)+"/caps", func(b *testing.B) {
			for b.Loop() {
				bruteForce(nodes, Request{JobID: "j", Capabilities: []string{"gpu", "storage"}}, epoch0)
			}
		})
	}
}

// sizes are the ones that docs/benchmarks.md speaks of.
func sizes() []int { return []int{1000, 100_000, 1_000_000} }

func TestChooseAllocatesNothing(t *testing.T) {
	x, _ := benchMesh(1000)
	for _, c := range benchRequests {
		r := c.r
		r.JobID = "job"
		_, err := x.Choose(r, epoch0)
		if err != nil {
			continue // an error may allocate
		}
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = x.Choose(r, epoch0) }), c.name)
	}
	id := identity.PeerID("12D3KooWnode000500")
	d := time.Duration(0)
	require.Zero(t, testing.AllocsPerRun(1, func() { d += time.Millisecond; _ = x.SetLatency(id, d) }))
}
