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
