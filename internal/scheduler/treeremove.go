package scheduler

// remove takes e out of the tree, which must hold it.
func (g *nodePool) remove(t *tree, nodes []record, e *entry) {
	g.removeAt(t.root, nodes, e)
	root := g.node(t.root)
	for root.inner && root.n == 1 {
		g.release(t.root)
		t.root = root.kidID(root.order[0])
		t.depth--
		root = g.node(t.root)
	}
	if root.n == 0 {
		g.release(t.root)
		*t = tree{}
		return
	}
	t.best = root.first()
	if e.cost == t.cost {
		t.cost = root.lowest(t.cost)
	}
}

func (g *nodePool) removeAt(id treeID, nodes []record, e *entry) {
	n := g.node(id)
	if !n.inner {
		n.drop(n.rankOf(e.slot))
		return
	}
	i := g.childFor(n, nodes, e)
	kidID := n.kidID(n.order[i])
	g.removeAt(kidID, nodes, e)
	kid := g.node(kidID)
	if kid.n == 0 {
		n.drop(i)
		g.release(kidID)
		return
	}
	n.narrow(i, kid, e)
	switch {
	case i+1 < int(n.n) && n.fit(i):
		g.merge(n, i)
	case i > 0 && n.fit(i-1):
		g.merge(n, i-1)
	}
}

// rankOf returns the rank of slot, which must be in this leaf.
func (n *treeNode) rankOf(slot int32) int {
	place := 0
	for p, s := range &n.link {
		if s == slot {
			place = p
		}
	}
	for i, p := range &n.order {
		if int(p) == place {
			return i
		}
	}
	return fanout // unreachable: order is a permutation
}

// drop removes the entry of rank i.
func (n *treeNode) drop(i int) {
	p := n.order[i]
	n.n--
	copy(n.order[i:n.n], n.order[i+1:n.n+1])
	n.order[n.n] = p
	n.score[p], n.link[p] = 0, noSlot
}

// narrow updates the summary of the child of rank i after gone has left the child. It reads the
// whole child only when the child's lowest cost may have been gone's. The summary may give a later
// expiry than any entry has, which is harmless until the next sweep.
func (n *treeNode) narrow(i int, kid *treeNode, gone *entry) {
	p := n.order[i]
	own := &n.facts[p]
	if gone.score == n.score[p] {
		n.follow(p, kid)
	}
	n.link[p] = linkTo(n.kidID(p), kid.n)
	if gone.cost == own.cost {
		own.cost = kid.lowest(own.cost)
	}
}

// lowest returns the lowest cost of all entries. No entry costs less than bound.
func (n *treeNode) lowest(bound uint64) uint64 {
	low := n.facts[n.order[0]].cost
	for _, p := range n.order[:n.n] {
		if low = min(low, n.facts[p].cost); low == bound {
			break
		}
	}
	return low
}

// mergeAt is the most entries that two merged neighbours may have together. It leaves room, so that
// the next entry does not split them again.
const mergeAt = fanout * 3 / 4

// fit reports whether the children of ranks i and i+1 should be merged.
func (n *treeNode) fit(i int) bool {
	return n.kidSize(n.order[i])+n.kidSize(n.order[i+1]) <= mergeAt
}

// merge appends the child of rank i+1 to that of rank i.
func (g *nodePool) merge(n *treeNode, i int) {
	left, right := n.kidID(n.order[i]), n.kidID(n.order[i+1])
	g.node(right).moveTo(g.node(left), 0)
	n.drop(i + 1)
	g.release(right)
	n.summarise(i, g.node(left))
}

// refresh replaces the facts of the entry at e's place, which are was, with e's. Score, hash and
// slot stay those of the entry in the tree.
func (g *nodePool) refresh(t *tree, nodes []record, e *entry, was facts) {
	root := g.node(t.root)
	g.refreshAt(root, nodes, e, was)
	if t.cost = min(t.cost, e.cost); was.cost == t.cost {
		t.cost = root.lowest(t.cost)
	}
}

func (g *nodePool) refreshAt(n *treeNode, nodes []record, e *entry, was facts) {
	if !n.inner {
		n.facts[n.order[n.rankOf(e.slot)]] = e.facts
		return
	}
	p := n.order[g.childFor(n, nodes, e)]
	kid := g.kid(n, p)
	g.refreshAt(kid, nodes, e, was)
	own := &n.facts[p]
	own.cost = min(own.cost, e.cost)
	own.expires = max(own.expires, e.expires)
	if was.cost == own.cost {
		own.cost = kid.lowest(own.cost)
	}
}
