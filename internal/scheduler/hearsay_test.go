package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
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
	n.FreeSlots, n.Stranger = 8, true
	require.NoError(t, x.Upsert(n, epoch0))
	lease, ok := x.Acquire(n.ID, epoch0)
	require.True(t, ok)
	_, ok = x.Acquire(n.ID, epoch0)
	require.False(t, ok)
	_, err := x.Choose(Request{JobID: "j"}, epoch0)
	require.ErrorIs(t, err, ErrBusy)
	x.Release(lease)
	x.Praise(n.ID, epoch0)
	for range 8 {
		_, ok = x.Acquire(n.ID, epoch0)
		require.True(t, ok)
	}
	_, ok = x.Acquire(n.ID, epoch0)
	require.False(t, ok)
	x.checkInvariants(t)
}

// Among is what a scan of the same nodes finds.
func TestAmong(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 50 {
		x, all := New(Config{}), []Node{}
		for i := range 40 {
			n := randomNode(rng, i, i%2 == 0, epoch0)
			require.NoError(t, x.Upsert(n, epoch0))
			all = append(all, n)
		}
		r := randomRequest(rng, 1, 40)
		var ids, want []identity.PeerID
		busy := false
		for _, i := range rng.Perm(40)[:20] {
			n := all[i]
			ids = append(ids, n.ID)
			free := n
			free.FreeSlots = 1
			switch {
			case meets(n, r, epoch0):
				want = append(want, n.ID)
			case meets(free, r, epoch0):
				busy = true
			}
		}
		ids = append(ids, "nobody")
		dst := make([]Choice, 3)
		n, gotBusy, err := x.Among(ids, r, epoch0, dst)
		require.NoError(t, err)
		require.Equal(t, slices.Clone(want[:min(3, len(want))]), slices.Clone(idsOf(dst[:n])), fmt.Sprint(r))
		require.Equal(t, busy, gotBusy)
	}
}
