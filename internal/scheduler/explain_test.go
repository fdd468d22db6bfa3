package scheduler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExplain(t *testing.T) {
	x := New(Config{})
	add := func(id string, change func(*Node)) {
		n := node(id, 1, 1)
		n.Capabilities, n.GeoHash = []string{"gpu", "simd"}, "u4pr"
		change(&n)
		require.NoError(t, x.Upsert(n, epoch0))
	}
	add("best", func(n *Node) { n.Latency = time.Millisecond })
	add("second", func(n *Node) {})
	add("dear", func(n *Node) { n.CreditCost = 100 })
	add("elsewhere", func(n *Node) { n.GeoHash = "9q8y" })
	add("full", func(n *Node) { n.FreeSlots = 0 })
	add("plain", func(n *Node) { n.Capabilities = []string{"simd"} })
	add("old", func(n *Node) { n.Expires = epoch0.Add(time.Second) })
	add("failed", func(n *Node) {})
	add("wrong twice", func(n *Node) { n.Capabilities, n.CreditCost = nil, 100 })
	add("away", func(n *Node) { n.Undialable = true })
	now := epoch0.Add(time.Minute)
	r := Request{JobID: "j", Capabilities: []string{"gpu"}, GeoPrefix: "u4", MaxCost: 50, Exclude: []peerID{"node-failed"}}
	e, err := x.Explain(r, now, 5)
	require.NoError(t, err)
	require.Equal(t, 10, e.Considered)
	require.Equal(t, 2, e.Feasible)
	require.Equal(t, map[Requirement]int{
		NeedCapabilities: 2, NeedGeo: 1, NeedCost: 2, NeedSlot: 1, NeedUnexpired: 1, NeedNotExcluded: 1, NeedDial: 1,
	}, e.RuledOut)
	require.Equal(t, 1, e.Unlocks[NeedCost], "of the two, one misses nothing else")
	require.Len(t, e.Top, 2)
	require.EqualValues(t, "node-best", e.Top[0].Node.ID)
	var busy []peerID
	for _, further := range []bool{true, false} {
		require.NoError(t, x.EachBusy(r, now, func(n Node) bool { busy = append(busy, n.ID); return further }))
	}
	require.Equal(t, []peerID{"node-full", "node-full"}, busy, "it lacks a free slot and nothing else")
	require.Equal(t, []Part{{"1000/latencyMs", 1000}, {"1/creditCost", 1}}, e.Top[0].Parts)
	require.Equal(t, "highest score", e.Why)

	nobody := Request{JobID: "j", Capabilities: []string{"tpu"}, GeoPrefix: "u4"}
	e, err = x.Explain(nobody, epoch0, 5)
	require.NoError(t, err)
	require.Zero(t, e.Feasible)
	require.Empty(t, e.Top)
	require.Equal(t, 10, e.RuledOut[NeedCapabilities])
	require.Equal(t, 1, e.RuledOut[NeedGeo])
	require.Equal(t, 7, e.Unlocks[NeedCapabilities], "relaxing this one would let it run")
}
