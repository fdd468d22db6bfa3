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

func benchMesh(n int) (*Index, map[identity.PeerID]Node) {
	rng := rand.New(rand.NewPCG(1, 1))
	x := New(Config{})
	nodes := make(map[identity.PeerID]Node, n)
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
		nodes[v.ID] = v
	}
	return x, nodes
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
	for _, n := range []int{1000, 100_000, 1_000_000} {
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
	for _, n := range []int{1000, 1_000_000} {
		x, _ := benchMesh(n)
		ids := make([]identity.PeerID, 0, n)
		for i := range n {
			ids = append(ids, identity.PeerID(fmt.Sprintf("12D3KooWnode%06d", i)))
		}
		rng := rand.New(rand.NewPCG(2, 2))
		rng.Shuffle(n, func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_ = x.SetLatency(ids[i%n], time.Duration(rng.Int64N(int64(300*time.Millisecond))))
			}
		})
	}
}

func BenchmarkScan1000(b *testing.B) {
	_, nodes := benchMesh(1000)
	for i := 0; b.Loop(); i++ {
		bruteForce(nodes, Request{JobID: "j", Capabilities: []string{"gpu", "storage"}}, epoch0)
	}
}

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
