package scheduler

import (
	"cmp"
	"math"

	"github.com/stretchr/testify/require"
)

// checkInvariants walks every structure of the index.
func (x *Index) checkInvariants(t require.TestingT) {
	count, treeNodes := 0, 0
	for _, s := range []*partition{&x.ready, &x.busy, &x.newReady, &x.newBusy, &x.away, &x.heard} {
		inShelf := 0
		for g := range s.trees {
			tree := &s.trees[g]
			want := noMatch
			if tree.root != 0 {
				n, nodes := checkTree(t, x, tree.root)
				inShelf += n
				treeNodes += nodes
				whole := x.pool.node(tree.root).summary(tree.root)
				require.Equal(t, x.pool.height(tree.root), tree.depth)
				require.Equal(t, whole.score, tree.best)
				require.Equal(t, whole.cost, tree.cost)
				want = match{x.caps.groups[g].mask, whole.score, whole.cost}
			}
			require.Equal(t, want, s.match[s.size+g])
		}
		for i := 1; i < s.size; i++ {
			require.Equal(t, better(s.match[2*i], s.match[2*i+1]), s.match[i])
		}
		require.Equal(t, s.count, inShelf)
		count += inShelf
	}
	require.Equal(t, x.Len(), count)
	require.Equal(t, max(len(x.pool.chunks)*chunkNodes-1, 0), treeNodes+len(x.pool.free[0])+len(x.pool.free[1]), "every tree node is in a tree or free")
	checkIDs(t, x)
	members := 0
	for i := range x.caps.groups {
		members += x.caps.groups[i].members
	}
	require.Equal(t, x.Len(), members)
	require.Len(t, x.caps.byIDs, len(x.caps.groups)-len(x.caps.freeGroup))
	checkGeoIndex(t, x)
}

// checkGeoIndex looks every node up in its region and its cell, and counts who is there.
func checkGeoIndex(t require.TestingT, x *Index) {
	inRegions, inCells := 0, 0
	for _, members := range x.geo.regions {
		inRegions += len(members)
	}
	for _, members := range x.geo.at {
		holds(t, len(members) > 0, "an empty cell is not kept")
		inCells += len(members)
	}
	for slot := range x.nodes {
		r, at := &x.nodes[slot], x.details[slot].listed
		if r.id == "" || r.geo.length() < regionLevel {
			continue
		}
		inRegions--
		m := x.geo.region(r.geo)[at.region]
		holds(t, m == r.member(int32(slot)), "a region tells what is so")
		score := float64(math.Float32frombits(m.score))
		holds(t, score >= r.score && score <= r.score*(1+1e-6)+1e-44, "the score is rounded up, and not far")
		if r.geo.length() >= cellLevel {
			inCells--
			holds(t, int(x.geo.at[r.geo.prefix(cellLevel)][at.cell]) == slot, "a cell has its node where the node says")
		}
	}
	require.Zero(t, inRegions, "who is listed in a region is known")
	require.Zero(t, inCells, "who is listed in a cell is known")
}

// holds is require.True without its price, for what is asked by the hundred
// thousand.
func holds[T ~string](t require.TestingT, ok bool, what T) {
	if !ok {
		require.Fail(t, string(what))
	}
}

// checkIDs looks every known node up and counts the cells in use.
func checkIDs(t require.TestingT, x *Index) {
	used, known := 0, 0
	for _, c := range x.ids.cells {
		if c.slot != 0 {
			used++
		}
	}
	for slot := range x.nodes {
		if id := x.nodes[slot].id; id != "" {
			known++
			got, ok := x.ids.find(x.nodes, id)
			holds(t, ok && int(got) == slot, "the table knows "+id)
		}
	}
	require.Equal(t, x.Len(), known)
	require.Equal(t, used, known)
	require.Equal(t, len(x.nodes), known+len(x.free))
}

// checkTree checks order, places and summaries and counts the entries and the tree
// nodes.
func checkTree(t require.TestingT, x *Index, id treeID) (entries, nodes int) {
	n := x.pool.node(id)
	require.NotZero(t, n.n)
	nodes = 1
	seen := uint32(0)
	for i, p := range n.order {
		seen |= 1 << p
		if i >= int(n.n) {
			holds(t, n.score[p] == 0 && n.link[p] == noSlot, "a free place is empty")
		}
	}
	holds(t, seen == 1<<fanout-1, "the order is a permutation")
	for i := range int(n.n) {
		e := n.at(i)
		holds(t, n.inner || x.pool.rank(n, x.nodes, &e, false) == i, "the rank is the number of entries before")
		if i > 0 {
			last := n.at(i - 1)
			holds(t, n.inner || before(x.nodes, &last, &e), "entries are in order")
		}
		if !n.inner {
			holds(t, x.nodes[e.slot].entry(e.slot) == e, "the entry is the record's")
			entries++
			continue
		}
		kid := n.kidID(n.order[i])
		whole := x.pool.node(kid).summary(kid)
		holds(t, whole.expires <= e.expires, "no entry of the child expires later")
		whole.expires = e.expires
		holds(t, whole == e, "the summary is the child's")
		if i > 0 {
			left, first := x.pool.edge(n.kidID(n.order[i-1]), true), x.pool.edge(kid, false)
			holds(t, before(x.nodes, &left, &first), "children are in order")
		}
		k, more := checkTree(t, x, kid)
		entries, nodes = entries+k, nodes+more
	}
	return entries, nodes
}

// height counts the inner nodes above the first leaf.
func (g *nodePool) height(id treeID) int32 {
	n := g.node(id)
	if !n.inner {
		return 0
	}
	return 1 + g.height(n.kidID(n.order[0]))
}

// edge is the first or the last entry below a tree node.
func (g *nodePool) edge(id treeID, last bool) entry {
	n := g.node(id)
	i := 0
	if last {
		i = int(n.n) - 1
	}
	if !n.inner {
		return n.at(i)
	}
	return g.edge(n.kidID(n.order[i]), last)
}

// before is the order of the tree, written down a second time.
func before(nodes []record, a, b *entry) bool {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.hash, b.hash),
		cmp.Compare(nodes[a.slot].id, nodes[b.slot].id)) < 0
}
