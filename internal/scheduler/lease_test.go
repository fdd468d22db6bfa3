package scheduler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func node(id string, free uint32, seq uint64) Node {
	return Node{
		ID: "node-" + peerID(id), Latency: 10 * time.Millisecond, CreditCost: 1, FreeSlots: free,
		Expires: epoch0.Add(time.Hour), Sequence: seq,
	}
}

func TestLeases(t *testing.T) {
	x := New(Config{})
	now := epoch0
	report := func(free uint32, seq uint64) {
		require.NoError(t, x.Upsert(node("a", free, seq), now))
	}
	free := func() uint32 {
		n, ok := x.Node("node-a")
		require.True(t, ok)
		return n.FreeSlots
	}
	take := func() Lease {
		l, ok := x.Acquire("node-a", now)
		require.True(t, ok)
		return l
	}
	report(3, 1)
	a, b := take(), take()
	require.EqualValues(t, 1, free())
	x.Release(a)
	x.Release(a) // a second time is ignored
	require.EqualValues(t, 2, free())

	// A report that crossed b and still says 3: b is known to be held.
	report(3, 2)
	require.EqualValues(t, 2, free(), "3 slots, one lease")

	// Later b is part of what the node reports.
	now = now.Add(time.Minute)
	report(2, 3)
	require.EqualValues(t, 2, free())
	x.Release(b)
	require.EqualValues(t, 3, free(), "the report counted b as taken")

	// Jobs of others fill the node; ours is counted in.
	c := take()
	now = now.Add(time.Minute)
	report(0, 4)
	require.Zero(t, free())
	_, ok := x.Acquire("node-a", now)
	require.False(t, ok)
	x.Release(c)
	require.EqualValues(t, 1, free())

	// The node has more slots than it has ever had free at a time.
	d := take()
	now = now.Add(time.Minute)
	report(7, 5)
	require.EqualValues(t, 7, free())
	x.Release(d)
	require.EqualValues(t, 8, free())

	// It refuses: nothing until it reports again.
	x.Full("node-a", now)
	require.Zero(t, free())
	_, err := x.Choose(Request{JobID: "j"}, now)
	require.ErrorIs(t, err, ErrBusy)
	report(4, 6)
	require.EqualValues(t, 4, free())

	// A lease of a node that was forgotten and came back is history.
	e := take()
	require.True(t, x.Remove("node-a"))
	report(2, 7)
	x.Release(e)
	require.EqualValues(t, 2, free())
	x.Release(Lease{})
	require.EqualValues(t, 2, free())
}

// A node that shrinks, or whose report had crossed jobs on their way, is not believed
// to have the slots for ever.
func TestSlotsFollowTheReports(t *testing.T) {
	x := New(Config{})
	now, seq := epoch0, uint64(0)
	report := func(free uint32) Node {
		seq++
		require.NoError(t, x.Upsert(node("a", free, seq), now))
		n, _ := x.Node("node-a")
		return n
	}
	report(2)
	var leases []Lease
	for range 2 {
		l, ok := x.Acquire("node-a", now)
		require.True(t, ok)
		leases = append(leases, l)
	}
	now = now.Add(time.Minute)
	report(2) // older than both jobs, and late
	for _, l := range leases {
		x.Release(l)
	}
	for _, free := range []uint32{2, 2} {
		n := report(free)
		require.Equal(t, free, n.FreeSlots)
	}
	require.EqualValues(t, 2, report(2).Slots)
	require.EqualValues(t, 8, report(8).Slots)
	var n Node
	for range 7 {
		n = report(1)
	}
	require.EqualValues(t, 1, n.Slots)
	require.EqualValues(t, 1, n.FreeSlots)
	require.Zero(t, report(0).Slots)
}
