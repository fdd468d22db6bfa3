package scheduler

import "inos/internal/identity"

// foreseeFrom is how many nodes make it worth asking for memory in advance: fewer
// lie in the processor's caches anyway.
const foreseeFrom = 1 << 14

// guess is find without the comparison of ids, which would wait for memory: most
// likely the slot of id. It is for prefetch only.
func (x *Index) guess(id identity.PeerID) (int32, bool) {
	if !prefetches || x.Len() < foreseeFrom {
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

// prefetch asks the processor for the memory that it takes to make slot what n says:
// a processor waits for many lines of memory as long as for one, if it knows them
// early. It changes nothing, and whatever it assumes is looked at again by the
// change itself.
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
	// Both ways down at the same time, and the leaves are not waited for.
	for i := range max(from.depth, into.depth) {
		if i < from.depth {
			a = x.pool.approach(a, x.nodes, &was.entry)
		}
		if i < into.depth {
			b = x.pool.approach(b, x.nodes, &is)
		}
	}
}

// approach asks for the child of n that e belongs to, and for what n says of it.
func (g *nodePool) approach(n *treeNode, nodes []record, e *entry) *treeNode {
	p := n.order[g.childFor(n, nodes, e)]
	kid := g.kid(n, p)
	prefetchNode(kid)
	prefetchFacts(&n.facts[p])
	return kid
}
