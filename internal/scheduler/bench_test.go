package scheduler

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
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
		v.Unheard, v.Stranger = false, 0
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
	name   string
	prefix int // of a GeoHash
	r      Request
}{
	{"any", 0, Request{}},
	{"caps", 0, Request{Capabilities: []string{"gpu", "storage"}}},
	{"ceiling", 0, Request{Capabilities: []string{"gpu"}, MaxCost: 500}},
	{"geo2", 2, Request{Capabilities: []string{"gpu"}}},
	{"geo3", 3, Request{}},
	{"geo4", 4, Request{}},
	{"exclude", 0, Request{Capabilities: []string{"gpu"}, Exclude: []identity.PeerID{"12D3KooWnode000001", "12D3KooWnode000002", "12D3KooWnode000003"}}},
}

// benchPlaces are prefixes of places where some node can run r: of 256 nodes, so that
// neither the places nor the nodes are in a cache.
func benchPlaces(x *Index, r Request, length int) (places []string) {
	if length == 0 {
		return nil
	}
	rng := rand.New(rand.NewPCG(9, 9))
	r.JobID = "place"
	for len(places) < 256 {
		slot := int32(rng.IntN(len(x.nodes)))
		r.GeoPrefix = x.details[slot].geoHash[:length]
		if _, err := x.Choose(r, epoch0); err == nil {
			places = append(places, r.GeoPrefix)
		}
	}
	return places
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
				places := benchPlaces(x, r, c.prefix)
				for i := 0; b.Loop(); i++ {
					r.JobID = ids[i%len(ids)]
					if len(places) > 0 {
						r.GeoPrefix = places[i%len(places)]
					}
					if _, err := x.Choose(r, epoch0); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkChooseTied is a decision among nodes that all have the same score, of 256
// sets of capabilities.
func BenchmarkChooseTied(b *testing.B) {
	for _, n := range sizes()[:2] {
		x := New(Config{})
		rng := rand.New(rand.NewPCG(7, 7))
		for i := range n {
			v := randomNode(rng, i, false, epoch0)
			v.Unheard, v.Stranger = false, 0
			v.Latency, v.CreditCost, v.FreeSlots, v.QueueLength, v.Expires = time.Millisecond, 1, 1, 0, epoch0.Add(time.Hour)
			require.NoError(b, x.Upsert(v, epoch0))
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			ids := make([]string, 1024)
			for i := range ids {
				ids[i] = "0190c5f2-7f6e-7c3e-8a3b-" + strconv.Itoa(100000+i)
			}
			for i := 0; b.Loop(); i++ {
				if _, err := x.Choose(Request{JobID: ids[i%len(ids)]}, epoch0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// received is ids as they come with messages: bytes of their own, in the order in
// which they come.
func received(ids []identity.PeerID) []identity.PeerID {
	var all strings.Builder
	for _, id := range ids {
		all.WriteString(string(id))
	}
	out, rest := make([]identity.PeerID, len(ids)), all.String()
	for i, id := range ids {
		out[i], rest = identity.PeerID(rest[:len(id)]), rest[len(id):]
	}
	return out
}

func BenchmarkUpdate(b *testing.B) {
	for _, n := range sizes() {
		x, known := benchMesh(n)
		ids := received(known)
		rng := rand.New(rand.NewPCG(2, 2))
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_ = x.SetLatency(ids[i%n], time.Duration(rng.Int64N(int64(300*time.Millisecond))))
			}
			inReads(b)
		})
	}
}

// BenchmarkReport is a whole report of a known node: price, latency, slots, queue and
// expiry have changed.
func BenchmarkReport(b *testing.B) {
	for _, n := range sizes() {
		x, known := benchMesh(n)
		ids := received(known[:min(n, 1<<17)])
		reports := make([]Node, len(ids))
		for i, id := range ids {
			reports[i], _ = x.Node(id)
			reports[i].ID = id
		}
		rng := rand.New(rand.NewPCG(3, 3))
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := &reports[i%len(reports)]
				changed(rng, r)
				if err := x.Upsert(*r, epoch0); err != nil {
					b.Fatal(err)
				}
			}
			inReads(b)
		})
	}
}

// changed makes n the next report of the node.
func changed(rng *rand.Rand, n *Node) {
	n.Sequence++
	n.Latency = time.Duration(rng.Int64N(int64(300 * time.Millisecond)))
	n.CreditCost = rng.Uint64N(10_000)
	n.FreeSlots, n.QueueLength = rng.Uint32N(4), rng.Uint32N(3)
	n.Expires = n.Expires.Add(time.Second)
}

// readLine is one cache line of memory that tells which to read next.
type readLine struct {
	next uint32
	_    [60]byte
}

// readMemory is a random walk over more memory than caches hold.
var readMemory = sync.OnceValue(func() []readLine {
	memory := make([]readLine, 256<<20/64)
	order := rand.New(rand.NewPCG(4, 4)).Perm(len(memory))
	for i, at := range order {
		memory[at].next = uint32(order[(i+1)%len(order)])
	}
	return memory
})

// walk makes n reads from at on and returns where it ends.
func walk(memory []readLine, at uint32, n int) uint32 {
	for range n {
		at = memory[at].next
	}
	return at
}

// BenchmarkRandomRead is what the machine needs for one read of memory that no cache
// holds and whose place the read before has told: the measure of an update, which is
// a handful of those.
func BenchmarkRandomRead(b *testing.B) {
	memory, at := readMemory(), uint32(0)
	for b.Loop() {
		at = memory[at].next
	}
	if int(at) >= len(memory) {
		b.Fatal(at)
	}
}

// inReads reports what b has measured as a number of random reads, which are timed
// now, while the machine is as busy as it was.
func inReads(b *testing.B) {
	const reads = 200_000
	memory, each := readMemory(), b.Elapsed()/time.Duration(b.N)
	at := uint32(b.N) % uint32(len(memory))
	start := time.Now()
	if at = walk(memory, at, reads); int(at) >= len(memory) {
		b.Fatal(at)
	}
	b.ReportMetric(float64(each)/(float64(time.Since(start))/reads), "reads/op")
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
			if v.Undialable {
				v.FreeSlots = 0
			}
			nodes = append(nodes, scanned{x.caps.groups[x.nodes[slot].group].mask, latencyMs(v), creditCost(v), x.nodes[slot].expires, v.FreeSlots})
		}
		ids, _ := x.caps.resolve(nil, []string{"gpu", "storage"})
		need := uint64(0)
		for _, id := range ids {
			need |= maskOf(id)
		}
		now := epoch0.UnixNano()
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
}

// Once the trees have the size that they keep, changes allocate nothing either:
// measurements, whole reports, slots taken and returned. The index is large enough to
// ask for memory in advance.
func TestChangesAllocateNothing(t *testing.T) {
	const size = prefetchFrom + 1
	x := New(Config{})
	known := fill(x, size)
	rng := rand.New(rand.NewPCG(5, 5))
	reports := make([]Node, 512)
	for i := range reports {
		reports[i], _ = x.Node(known[i])
	}
	i := 0
	change := func() {
		i++
		_ = x.SetLatency(known[i%size], time.Duration(rng.Int64N(int64(300*time.Millisecond))))
		r := &reports[i%len(reports)]
		changed(rng, r)
		require.NoError(t, x.Upsert(*r, epoch0))
	}
	for range 20 * size {
		change()
	}
	require.Zero(t, testing.AllocsPerRun(10_000, change))
	lease := func() {
		if l, ok := x.Acquire(known[7], epoch0); ok {
			x.Release(l)
		}
	}
	require.NoError(t, x.Upsert(Node{ID: known[7], FreeSlots: 2, Expires: epoch0.Add(time.Hour), Sequence: 1 << 40}, epoch0))
	x.Acquire(known[7], epoch0) // one stays, as while there is work
	lease()
	require.Zero(t, testing.AllocsPerRun(1000, lease))
	x.checkInvariants(t)
}
