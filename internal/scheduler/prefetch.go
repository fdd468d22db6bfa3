package scheduler

import "inos/internal/identity"

// prefetchFrom is the least number of nodes for which prefetching pays: with fewer, most memory is
// in the processor's caches.
const prefetchFrom = 1 << 14

// guess is find without the comparison of ids, which would wait for memory. It returns the likely
// slot of id. It is for prefetch only.
func (x *Index) guess(id identity.PeerID) (int32, bool) {
	if !prefetches || x.Len() < prefetchFrom {
		return 0, false
	}
	t := &x.ids
	tag, mask := t.tag(id), uint32(len(t.cells)-1)
	for i := tag & mask; t.cells[i].slot != 0; i = (i + 1) & mask {
		if t.cells[i].tag == tag {
			slot := t.cells[i].slot - 1
			prefetchRecord(&x.nodes[slot], &x.details[slot])
			return slot, true
		}
	}
	return 0, false
}

// prefetch asks the processor for the memory that a change of slot to n touches. A processor waits
// for many lines of memory as long as for one, if it knows them early. prefetch changes nothing,
// and the change itself checks again whatever prefetch assumes.
func (x *Index) prefetch(slot int32, n Node) {
	prefetchText(string(x.nodes[slot].id))
	was := x.standing(slot)
	to := &x.busy
	if n.FreeSlots > 0 {
		to = &x.ready
	}
	switch {
	case n.Undialable:
		to = &x.away
	case n.Unheard:
		to = &x.heard
	case n.Stranger > 0 && n.FreeSlots > 0:
		to = &x.newReady
	case n.Stranger > 0:
		to = &x.newBusy
	}
	if int(was.group) >= len(to.trees) {
		return
	}
	from, into := &was.partition.trees[was.group], &to.trees[was.group]
	if from.root == 0 || into.root == 0 {
		return
	}
	a, b := x.pool.node(from.root), x.pool.node(into.root)
	prefetchNode(a)
	prefetchNode(b)
	score := x.scoreOf(n)
	if !validScore(score) {
		return
	}
	is := was.entry
	is.score = scoreBits(score)
	// Both descents run at the same time, and neither waits for the leaves.
	for i := range max(from.depth, into.depth) {
		if i < from.depth {
			a = x.pool.approach(a, x.nodes, &was.entry)
		}
		if i < into.depth {
			b = x.pool.approach(b, x.nodes, &is)
		}
	}
}

// approach prefetches the child of n that e belongs to, and n's summary of it.
func (g *nodePool) approach(n *treeNode, nodes []record, e *entry) *treeNode {
	p := n.order[g.childFor(n, nodes, e)]
	kid := g.kid(n, p)
	prefetchNode(kid)
	prefetchFacts(&n.facts[p])
	return kid
}
