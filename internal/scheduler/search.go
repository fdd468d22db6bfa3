package scheduler

// search finds the best node of s for the query in hand.
func (x *Index) search(s *shelf) (Choice, bool) {
	q := &x.q
	q.best, q.tied.n = 0, 0
	if s.count == 0 {
		return Choice{}, false
	}
	if members, ok := x.cells.lookup(q.geo); ok && x.preferCell(len(members)) {
		x.searchCell(s, members)
	} else {
		x.descend(s, 1)
	}
	if q.tied.n == 0 {
		return Choice{}, false
	}
	slot := q.tied.winner(x.nodes, q.job)
	return Choice{Node: x.node(slot), Score: x.nodes[slot].score}, true
}

// preferCell decides how to find the best node in a place of m nodes: looking
// at all m, or walking down from the best of all n, of which one in n/m lies
// there.
func (x *Index) preferCell(m int) bool {
	return m <= 64 || m <= len(x.slots)/m
}

// searchCell looks at every member of a cell.
func (x *Index) searchCell(s *shelf, members []int32) {
	q := &x.q
	ready := s == &x.ready
	for _, slot := range members {
		r := &x.nodes[slot]
		if r.score < q.best || (r.available() > 0) != ready || !x.groupFits(r.group) {
			continue
		}
		if e := r.entry(slot); e.passes(q.filter) && x.accepts(&e) {
			x.offer(&e)
		}
	}
}

// descend searches the part of the groups under tournament node i, the better
// half first, and skips what cannot hold a node as good as the best found.
func (x *Index) descend(s *shelf, i int) {
	q := &x.q
	if s.best[i] == 0 || s.best[i] < q.best || s.union[i]&q.mask != q.mask {
		return
	}
	if i >= s.size {
		if g := int32(i - s.size); q.exact || x.groupFits(g) {
			x.searchTree(&s.trees[g])
		}
		return
	}
	l, r := 2*i, 2*i+1
	if s.best[l] < s.best[r] {
		l, r = r, l
	}
	x.descend(s, l)
	x.descend(s, r)
}

// groupFits reports whether the group has every capability asked for.
func (x *Index) groupFits(g int32) bool {
	q := &x.q
	group := &x.caps.groups[g]
	return group.mask&q.mask == q.mask && (q.exact || group.has(q.ids))
}

// accepts checks what the filter cannot: place and exclusion.
func (x *Index) accepts(e *entry) bool {
	return e.geo.within(x.q.geo) && x.nodes[e.slot].mark != x.epoch
}

// offer takes a node that meets every requirement and scores q.best or more. It
// reports whether the window of tied nodes took it.
func (x *Index) offer(e *entry) bool {
	q := &x.q
	if e.score > q.best {
		q.best, q.tied.n = e.score, 0
	}
	return q.tied.add(x.nodes, ringDistance(q.job, e.hash), e.slot)
}

// searchTree offers the best nodes of one group.
func (x *Index) searchTree(t *tree) {
	q := &x.q
	c := &q.cursor
	e := c.first(t, q.filter)
	for e != nil && e.score >= q.best && !x.accepts(e) {
		e = c.next()
	}
	if e == nil || e.score < q.best {
		return
	}
	x.offer(e)
	first := *e
	if e = c.next(); e == nil || e.score != first.score {
		return
	}
	// More nodes may tie: take them in the order of the ring, from the job's point
	// to the end and from the first one to the job's point.
	q.tied.drop(first.slot)
	from := entry{score: first.score, hash: q.job, slot: noSlot}
	if !x.offerRing(c.seek(x.nodes, t, &from, q.filter), first.score, 1<<64-1) {
		return
	}
	from.hash = 0
	if q.job > 0 {
		x.offerRing(c.seek(x.nodes, t, &from, q.filter), first.score, q.job-1)
	}
}

// offerRing offers the entries from e on with this score and a hash of at most
// last; false when the window has enough.
func (x *Index) offerRing(e *entry, score float64, last uint64) bool {
	for ; e != nil && e.score == score && e.hash <= last; e = x.q.cursor.next() {
		if x.accepts(e) && !x.offer(e) {
			return false
		}
	}
	return true
}
