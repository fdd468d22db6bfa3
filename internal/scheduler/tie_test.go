package scheduler

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Equal nodes share the jobs about equally, few as many.
func TestTiesSpread(t *testing.T) {
	for _, n := range []int{2, 10, 32, 33, 100, 1000} {
		x := New(Config{})
		for i := range n {
			require.NoError(t, x.Upsert(node(fmt.Sprint(i), 1, 1), epoch0))
		}
		const perNode = 200
		got := make(map[peerID]int)
		for j := range n * perNode {
			c, err := x.Choose(Request{JobID: fmt.Sprintf("job-%d", j)}, epoch0)
			require.NoError(t, err)
			got[c.Node.ID]++
		}
		least, most := n*perNode, 0
		for _, count := range got {
			least, most = min(least, count), max(most, count)
		}
		require.Len(t, got, n, "every node gets some")
		require.Less(t, most, 2*perNode, "n=%d", n)
		require.Greater(t, least, perNode/4, "n=%d", n)
		t.Logf("%4d equal nodes: between %d and %d jobs each, %d on average", n, least, most, perNode)
	}
}

// The same job goes to the same node, whatever the order in which nodes came,
// and a node that leaves moves only its own jobs and few others.
func TestTiesAreStable(t *testing.T) {
	const n, jobs = 200, 2000
	build := func(order func(i int) int) *Index {
		x := New(Config{})
		for i := range n {
			require.NoError(t, x.Upsert(node(fmt.Sprint(order(i)), 1, 1), epoch0))
		}
		return x
	}
	a, b := build(func(i int) int { return i }), build(func(i int) int { return n - 1 - i })
	gone := peerID("node-77")
	c := build(func(i int) int { return i })
	require.True(t, c.Remove(gone))
	moved := 0
	for j := range jobs {
		r := Request{JobID: fmt.Sprint(j)}
		x, err := a.Choose(r, epoch0)
		require.NoError(t, err)
		y, err := b.Choose(r, epoch0)
		require.NoError(t, err)
		require.Equal(t, x.Node.ID, y.Node.ID)
		z, err := c.Choose(r, epoch0)
		require.NoError(t, err)
		if x.Node.ID != z.Node.ID {
			moved++
		}
	}
	require.Less(t, moved, jobs/n*4)
}

// colliding is an id whose hash is the same for every i.
func colliding(i uint64) peerID {
	h := uint64(16)
	h = mix(h*0x9e3779b97f4a7c15 ^ i) // what hashText has after the first eight bytes
	b := binary.LittleEndian.AppendUint64(nil, i)
	return peerID(binary.LittleEndian.AppendUint64(b, h))
}

// Nodes that tie in score and in hash are told apart by their ids, in trees of
// several levels too.
func TestCollidingHashes(t *testing.T) {
	const n = 1500
	require.Equal(t, hashText(colliding(1)), hashText(colliding(2)))
	rng := rand.New(rand.NewPCG(6, 6))
	x := New(Config{})
	nodes := make(map[peerID]Node)
	for _, i := range rng.Perm(n) {
		v := node("", 1, 1)
		v.ID = colliding(uint64(i))
		require.NoError(t, x.Upsert(v, epoch0))
		v.Slots = v.FreeSlots
		nodes[v.ID] = v
	}
	x.checkInvariants(t)
	for step, i := range rng.Perm(n) {
		r := Request{JobID: fmt.Sprint(step)}
		want, _, _ := bruteForce(nodes, r, epoch0)
		got, err := x.Choose(r, epoch0)
		require.NoError(t, err)
		require.Equal(t, want.ID, got.Node.ID)
		require.True(t, x.Remove(colliding(uint64(i))))
		delete(nodes, colliding(uint64(i)))
		if step%100 == 0 {
			x.checkInvariants(t)
		}
	}
	require.Zero(t, x.Len())
}
