package scheduler

// partition holds the nodes that are alike in whether they have a free slot. It has one tree for
// each group and a tournament over the groups. For any part of the groups, the tournament tells the
// union of their masks, their best score and their lowest cost. A search walks down the tournament
// towards the best score and turns back where the mask lacks a capability or every node costs too
// much.
type partition struct {
	*nodePool
	trees []tree // by group
	match []match
	size  int // leaves of the tournament, a power of two; the leaf of group g is size+g
	count int
}

// match is a node of the tournament. Where it has no mesh node below it, best is 0 and the mask is
// empty.
type match struct {
	union uint64
	best  score64
	cost  uint64
}

// grow makes room for group g.
func (s *partition) grow(g int32) {
	for int(g) >= len(s.trees) {
		s.trees = append(s.trees, tree{})
	}
	if int(g) < s.size {
		return
	}
	old := *s
	for s.size = max(old.size, 1); s.size <= int(g); s.size *= 2 {
	}
	s.match = make([]match, 2*s.size)
	for i := range s.match {
		s.match[i] = noMatch
	}
	copy(s.match[s.size:], old.match[min(old.size, len(old.match)):])
	for i := s.size - 1; i > 0; i-- {
		s.match[i] = better(s.match[2*i], s.match[2*i+1])
	}
}

var noMatch = match{cost: 1<<64 - 1}

func better(l, r match) match {
	return match{l.union | r.union, max(l.best, r.best), min(l.cost, r.cost)}
}

// settle updates the tournament after a change of g's tree.
func (s *partition) settle(g int32, mask uint64) {
	t := &s.trees[g]
	i := s.size + int(g)
	s.match[i] = noMatch
	if t.root != 0 {
		s.match[i] = match{mask, t.best, t.cost}
	}
	for i >>= 1; i > 0; i >>= 1 {
		was := s.match[i]
		if s.match[i] = better(s.match[2*i], s.match[2*i+1]); s.match[i] == was {
			return
		}
	}
}

func (s *partition) insert(nodes []record, g int32, mask uint64, e *entry) {
	s.grow(g)
	t := &s.trees[g]
	was := *t
	s.nodePool.insert(t, nodes, e)
	s.count++
	if t.best != was.best || t.cost != was.cost {
		s.settle(g, mask)
	}
}

func (s *partition) remove(nodes []record, g int32, mask uint64, e *entry) {
	t := &s.trees[g]
	was := *t
	s.nodePool.remove(t, nodes, e)
	s.count--
	if t.best != was.best || t.cost != was.cost {
		s.settle(g, mask)
	}
}

func (s *partition) refresh(nodes []record, g int32, mask uint64, e *entry, was facts) {
	t := &s.trees[g]
	cost := t.cost
	s.nodePool.refresh(t, nodes, e, was)
	if t.cost != cost {
		s.settle(g, mask)
	}
}
