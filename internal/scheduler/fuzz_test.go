package scheduler

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

// snapshot is what an index tells of every node.
func snapshot(x *Index) map[identity.PeerID]Node {
	out := make(map[identity.PeerID]Node, x.Len())
	for slot := range x.nodes {
		if id := x.nodes[slot].id; id != "" {
			out[id], _ = x.Node(id)
		}
	}
	return out
}

// Whatever a profile says, the index stays sound; one that is refused changes
// nothing.
func FuzzUpsert(f *testing.F) {
	f.Add("node-new", "gpu,simd", "u4pr", int64(1e6), uint64(5), uint32(1), uint32(0), int64(60), uint64(1))
	f.Add("node-a", "gpu", "u4pruydqqvj", int64(-1), uint64(math.MaxUint64), uint32(math.MaxUint32), uint32(math.MaxUint32), int64(-1), uint64(0))
	f.Add("", strings.Repeat("x", 65), "a", int64(math.MaxInt64), uint64(0), uint32(0), uint32(9), int64(math.MaxInt64), uint64(math.MaxUint64))
	f.Add("node-b", strings.Repeat("c,", 70), "U4", int64(math.MinInt64), uint64(1), uint32(3), uint32(1), int64(math.MinInt64), uint64(7))
	f.Fuzz(func(t *testing.T, id, caps, geo string, latency int64, cost uint64, free, queue uint32, expires int64, seq uint64) {
		x := New(Config{MaxNodes: 3})
		for _, name := range []string{"a", "b"} {
			n := node(name, 2, 5)
			n.Capabilities, n.GeoHash = []string{"gpu"}, "u4pr"
			require.NoError(t, x.Upsert(n, epoch0))
		}
		_, ok := x.Acquire("node-"+peerID("a"), epoch0)
		require.True(t, ok)
		before := snapshot(x)
		n := Node{
			ID: identity.PeerID(id), GeoHash: geo, Latency: time.Duration(latency), CreditCost: cost,
			FreeSlots: free, QueueLength: queue, Expires: time.Unix(expires, 0), Sequence: seq,
		}
		if expires > -1e9 && expires < 1e9 { // near the present, mostly
			n.Expires = epoch0.Add(time.Duration(expires) * time.Second)
		}
		if caps != "" {
			n.Capabilities = strings.Split(caps, ",")
		}
		err := x.Upsert(n, epoch0)
		x.checkInvariants(t)
		if err != nil {
			require.Equal(t, before, snapshot(x))
			return
		}
		got, ok := x.Node(n.ID)
		require.True(t, ok)
		require.True(t, validScore(Formula{}.Score(got)))
		c, err := x.Choose(Request{JobID: "j", Capabilities: n.Capabilities, GeoPrefix: geo, Exclude: []identity.PeerID{"node-" + peerID("a"), "node-" + peerID("b")}}, epoch0)
		if got.FreeSlots > 0 && id != "node-a" && id != "node-b" {
			require.NoError(t, err)
			require.Equal(t, n.ID, c.Node.ID)
		}
		require.True(t, x.Remove(n.ID))
		x.checkInvariants(t)
	})
}
