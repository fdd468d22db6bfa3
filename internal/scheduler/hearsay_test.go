package scheduler

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A node that has never answered is no candidate, and is found among those to be asked.
func TestWhoHasNeverAnsweredIsNoCandidate(t *testing.T) {
	x := New(Config{})
	add := func(name string, ms int, change func(*Node)) peerID {
		n := node(name, 1, 1)
		n.Latency = time.Duration(ms) * time.Millisecond
		change(&n)
		require.NoError(t, x.Upsert(n, epoch0))
		return n.ID
	}
	honest := add("honest", 100, func(*Node) {})
	heard := add("heard of", 1, func(n *Node) { n.Unheard = true })
	add("full", 1, func(n *Node) { n.Unheard, n.FreeSlots = true, 0 })
	add("in the dark", 1, func(n *Node) { n.Unheard, n.Undialable = true, true })
	req := Request{JobID: "j"}
	var top [4]Choice
	chosen := func() []peerID {
		n, err := x.TopK(req, epoch0, top[:])
		require.NoError(t, err)
		return idsOf(top[:n])
	}
	asked := func(r Request) []peerID {
		n, err := x.Unheard(r, epoch0, top[:])
		require.NoError(t, err)
		return idsOf(top[:n])
	}
	require.Equal(t, []peerID{honest}, chosen())
	require.Equal(t, []peerID{heard}, asked(req))
	require.Empty(t, asked(Request{JobID: "j", Exclude: []peerID{heard}}))
	missed, _ := x.Missing(heard, epoch0)
	require.Equal(t, []Requirement{NeedAnswer}, missed)
	x.SetAsked(heard, true)
	require.Empty(t, asked(req), "not again so soon")
	x.SetAsked(heard, false)
	require.Equal(t, []peerID{heard}, asked(req))
	x.SetUnheard(heard, false)
	require.Equal(t, []peerID{heard, honest}, chosen())
	require.Empty(t, asked(req))
	require.True(t, x.Remove(honest))
	x.SetUnheard(heard, true)
	_, err := x.Choose(req, epoch0)
	require.ErrorIs(t, err, ErrNoCandidate, "and not busy")
	x.checkInvariants(t)
}

func idsOf(choices []Choice) (ids []peerID) {
	for _, c := range choices {
		ids = append(ids, c.Node.ID)
	}
	return ids
}

// A stranger has one job at a time, until it has done one.
func TestAStrangerHasOneJobAtATime(t *testing.T) {
	x := New(Config{})
	n := node("new", 1, 1)
	n.FreeSlots, n.Stranger = 8, 1
	require.NoError(t, x.Upsert(n, epoch0))
	lease, ok := x.Acquire(n.ID, epoch0)
	require.True(t, ok)
	_, ok = x.Acquire(n.ID, epoch0)
	require.False(t, ok)
	_, err := x.Choose(Request{JobID: "j"}, epoch0)
	require.ErrorIs(t, err, ErrBusy)
	x.SetStranger(n.ID, 2)
	second, ok := x.Acquire(n.ID, epoch0)
	require.True(t, ok)
	x.Release(lease)
	x.Release(second)
	x.RecordSuccess(n.ID, epoch0)
	for range 8 {
		_, ok = x.Acquire(n.ID, epoch0)
		require.True(t, ok)
	}
	_, ok = x.Acquire(n.ID, epoch0)
	require.False(t, ok)
	x.checkInvariants(t)
}

// Who has a record is found past any number of strangers.
func TestOnlyThoseWithARecord(t *testing.T) {
	x := New(Config{})
	for i := range 100 {
		n := node(fmt.Sprint(i), 1, 1)
		if i != 42 {
			n.Stranger = 1
		}
		n.GeoHash = "u33d"
		n.CreditCost = uint64(1 + i)
		require.NoError(t, x.Upsert(n, epoch0))
	}
	for _, r := range []Request{{JobID: "j", Known: true}, {JobID: "j", Known: true, GeoPrefix: "u33d"}, {JobID: "j", Known: true, GeoPrefix: "u3"}} {
		c, err := x.Choose(r, epoch0)
		require.NoError(t, err)
		require.EqualValues(t, "node-42", c.Node.ID)
	}
	var both [2]Choice
	require.Equal(t, 2, x.Assign([]Request{{JobID: "any"}, {JobID: "known", Known: true}}, epoch0, both[:]))
	require.Equal(t, []peerID{"node-0", "node-42"}, idsOf(both[:]), "also of several together")
	_, ok := x.Acquire("node-42", epoch0)
	require.True(t, ok)
	_, err := x.Choose(Request{JobID: "j", Known: true}, epoch0)
	require.ErrorIs(t, err, ErrBusy)
	_, err = x.Choose(Request{JobID: "j"}, epoch0)
	require.NoError(t, err)
	x.RecordSuccess("node-7", epoch0)
	c, err := x.Choose(Request{JobID: "j", Known: true}, epoch0)
	require.NoError(t, err)
	require.EqualValues(t, "node-7", c.Node.ID)
}
