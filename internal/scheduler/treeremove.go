package scheduler

// remove takes e out; it must be in.
func (t *tree) remove(nodes []record, e *entry) {
	t.root.remove(nodes, e)
	for t.root.kids != nil && t.root.n == 1 {
		t.root = t.root.kids[0]
	}
	if t.root.n == 0 {
		t.root = nil
	}
}

func (n *treeNode) remove(nodes []record, e *entry) {
	if n.kids == nil {
		n.drop(n.lowerBound(nodes, e))
		return
	}
	i := n.childFor(nodes, e)
	kid := n.kids[i]
	kid.remove(nodes, e)
	switch {
	case kid.n == 0:
		n.drop(i)
	case i+1 < n.n && kid.n+n.kids[i+1].n <= fanout:
		n.merge(i)
		n.e[i] = n.kids[i].summary()
	case i > 0 && kid.n+n.kids[i-1].n <= fanout:
		n.merge(i - 1)
		n.e[i-1] = n.kids[i-1].summary()
	default:
		n.narrow(i, e)
	}
}

// narrow brings the summary of child i up to date after e has left it. The child
// is read as a whole only if e may have been what the summary tells of it.
func (n *treeNode) narrow(i int, e *entry) {
	s := &n.e[i]
	if e.cost <= s.cost || e.expires >= s.expires {
		*s = n.kids[i].summary()
		return
	}
	first := &n.kids[i].e[0]
	s.score, s.hash, s.geo, s.slot = first.score, first.hash, first.geo, first.slot
}

func (n *treeNode) drop(i int) {
	copy(n.e[i:n.n-1], n.e[i+1:n.n])
	n.n--
	if n.kids != nil {
		copy(n.kids[i:n.n], n.kids[i+1:n.n+1])
		n.kids[n.n] = nil
	}
}

// merge appends child i+1 to child i; the summary of i is the caller's to make.
func (n *treeNode) merge(i int) {
	left, right := n.kids[i], n.kids[i+1]
	copy(left.e[left.n:], right.e[:right.n])
	if left.kids != nil {
		copy(left.kids[left.n:], right.kids[:right.n])
	}
	left.n += right.n
	n.drop(i + 1)
}

// refresh replaces the entry at e's place by e: score, hash and slot are those
// of the entry in the tree, cost, expires and geo may differ.
func (t *tree) refresh(nodes []record, e *entry) { t.root.refresh(nodes, e) }

func (n *treeNode) refresh(nodes []record, e *entry) {
	if n.kids == nil {
		n.e[n.lowerBound(nodes, e)] = *e
		return
	}
	i := n.childFor(nodes, e)
	n.kids[i].refresh(nodes, e)
	n.e[i] = n.kids[i].summary()
}
