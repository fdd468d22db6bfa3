package scheduler

// search finds the slot of the best node of s, and of more unless that is nil, for the current
// query.
func (x *Index) search(s, more *partition) (slot int32, ok bool) {
	q := &x.q
	q.best, q.tied.n = 1, 0 // below every score
	if s.count > 0 && !x.searchPlace(s) {
		x.descend(s)
	}
	if more != nil && more.count > 0 && !x.searchPlace(more) {
		x.descend(more)
	}
	if q.tied.n == 0 {
		return 0, false
	}
	return q.tied.winner(x.nodes, q.job), true
}

// searchPlace looks at every node of the requested place. It returns false when the request names
// no place or walking down the trees is quicker.
func (x *Index) searchPlace(s *partition) bool {
	q := &x.q
	switch n := q.geo.length(); {
	case n < regionLevel:
		return false
	case n < cellLevel:
		members := x.geo.region(q.geo)
		if !x.lookAtAll(len(members)) {
			return false
		}
		x.searchRegion(s, members)
	default:
		members := x.geo.at[q.geo.prefix(cellLevel)]
		if !x.lookAtAll(len(members)) {
			return false
		}
		x.searchCell(s, members)
	}
	return true
}

// cellAhead is how far ahead of the current member of a cell the search prefetches records. They
// lie anywhere in memory, and waiting for one after the other would dominate the search of a large
// cell.
const cellAhead = 16

// searchCell offers the members that meet every requirement.
func (x *Index) searchCell(s *partition, members []int32) {
	ahead := prefetches && len(members) > cellAhead && x.Len() >= prefetchFrom
	if ahead {
		for _, slot := range members[:cellAhead] {
			prefetchLines(&x.nodes[slot])
		}
	}
	for i, slot := range members {
		if ahead && i+cellAhead < len(members) {
			prefetchLines(&x.nodes[members[i+cellAhead]])
		}
		x.consider(s, slot)
	}
}

// lookAtAll decides how to find the best node in a place of m nodes: by looking at all m, or by
// walking down from the best of all n nodes, of which one in n/m lies there. A step down takes some
// eight times as long as a look.
func (x *Index) lookAtAll(m int) bool { return m <= 64 || m <= 8*x.Len()/m }

// consider offers the node if it belongs to s and meets every requirement.
func (x *Index) consider(s *partition, slot int32) {
	q := &x.q
	r := &x.nodes[slot]
	if scoreBits(r.score) < q.best || !r.passes(q.cursor.f) {
		return
	}
	if x.partitionOf(r) != s || q.lacks(r.group) {
		return
	}
	if e := r.entry(slot); x.accepts(&e) {
		x.offer(&e)
	}
}

// descend searches the groups from the top of the tournament, the better half first, and skips
// parts that cannot hold a node as good as the best found.
func (x *Index) descend(s *partition) {
	q := &x.q
	todo := &q.todo
	todo[0] = 1
	for n := 1; n > 0; {
		n--
		i := int(todo[n])
		m := &s.match[i]
		if m.best < q.best || m.union&q.mask != q.mask || m.cost > q.cursor.f.maxCost {
			continue
		}
		if i >= s.size {
			if g := int32(i - s.size); q.exact || !q.lacks(g) {
				x.searchTree(&s.trees[g])
			}
			continue
		}
		l, r := int32(2*i), int32(2*i+1)
		if s.match[l].best < s.match[r].best {
			l, r = r, l
		}
		todo[n], todo[n+1] = r, l
		n += 2
	}
}

// lacks reports whether the group lacks a requested capability. Some node has each of them.
func (q *query) lacks(g int32) bool {
	group := &q.caps.groups[g]
	return group.mask&q.mask != q.mask || !q.exact && !group.has(q.ids)
}

// outside reports whether g lies outside the requested place.
func (q *query) outside(g geoCode) bool { return !g.within(q.geo) }

// excludes reports whether the current decision must not choose n.
func (q *query) excludes(n *record) bool { return n.mark == q.epoch }

// accepts checks what the filter cannot: place and exclusion.
func (x *Index) accepts(e *entry) bool {
	return !x.q.outside(e.geo) && !x.q.excludes(&x.nodes[e.slot])
}

// offer takes a node that meets every requirement and scores q.best or more. It reports whether the
// window of tied nodes took the node.
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
	if q.tied.n > 0 && t.best == q.best {
		x.offerTied(t, q.best)
		return
	}
	ok := c.first(t)
	for ok && c.score >= q.best && !x.accepts(&c.entry) {
		ok = c.next()
	}
	if !ok || c.score < q.best {
		return
	}
	x.offer(&c.entry)
	slot, score := c.slot, c.score
	if !c.next() || c.score != score {
		return
	}
	q.tied.drop(slot)
	x.offerTied(t, score)
}

// offerTied offers the nodes of one group that have this score in the order of the ring: from the
// job's point to the end, then from the first one to the job's point, until the window takes no
// more.
func (x *Index) offerTied(t *tree, score score64) {
	q := &x.q
	c := &q.cursor
	from := entry{score: score, slot: noSlot, facts: facts{hash: q.job}}
	if !x.offerRing(c.seek(x.nodes, t, &from), score, 1<<64-1) {
		return
	}
	from.hash = 0
	if q.job > 0 && q.tied.takes(ringDistance(q.job, 0)) {
		x.offerRing(c.seek(x.nodes, t, &from), score, q.job-1)
	}
}

// offerRing offers the entries from the cursor's on that have this score and a hash of at most
// last. It returns false when the window has enough.
func (x *Index) offerRing(ok bool, score score64, last uint64) bool {
	c := &x.q.cursor
	for ; ok && c.score == score && c.hash <= last; ok = c.next() {
		if x.accepts(&c.entry) && !x.offer(&c.entry) {
			return false
		}
	}
	return true
}
