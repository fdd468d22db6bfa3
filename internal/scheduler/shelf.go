package scheduler

// shelf keeps the nodes that are alike in whether they have a free slot: one
// tree a group, and over the groups a tournament that tells, for any part of
// them, the union of their masks and their best score. A search walks down it
// towards the best score and turns back where the mask lacks a capability.
type shelf struct {
	trees []tree // by group
	union []uint64
	best  []float64 // 0: no node
	size  int       // leaves of the tournament, a power of two; leaf of group g is size+g
	count int
}

// grow makes room for group g.
func (s *shelf) grow(g int32) {
	for int(g) >= len(s.trees) {
		s.trees = append(s.trees, tree{})
	}
	if int(g) < s.size {
		return
	}
	old := *s
	for s.size = max(old.size, 1); s.size <= int(g); s.size *= 2 {
	}
	s.union, s.best = make([]uint64, 2*s.size), make([]float64, 2*s.size)
	copy(s.union[s.size:], old.union[min(old.size, len(old.union)):])
	copy(s.best[s.size:], old.best[min(old.size, len(old.best)):])
	for i := s.size - 1; i > 0; i-- {
		s.pull(i)
	}
}

func (s *shelf) pull(i int) {
	s.union[i] = s.union[2*i] | s.union[2*i+1]
	s.best[i] = max(s.best[2*i], s.best[2*i+1])
}

// settle brings the tournament up to date after a change of g's tree. An empty
// group has mask 0 and so hides from every search.
func (s *shelf) settle(g int32, mask uint64) {
	best := s.trees[g].best()
	if best == 0 {
		mask = 0
	}
	i := s.size + int(g)
	s.union[i], s.best[i] = mask, best
	for i >>= 1; i > 0; i >>= 1 {
		u, b := s.union[i], s.best[i]
		s.pull(i)
		if u == s.union[i] && b == s.best[i] {
			return
		}
	}
}

func (s *shelf) insert(nodes []record, g int32, mask uint64, e *entry) {
	s.grow(g)
	before := s.trees[g].best()
	s.trees[g].insert(nodes, e)
	s.count++
	if s.trees[g].best() != before {
		s.settle(g, mask)
	}
}

func (s *shelf) remove(nodes []record, g int32, mask uint64, e *entry) {
	before := s.trees[g].best()
	s.trees[g].remove(nodes, e)
	s.count--
	if s.trees[g].best() != before {
		s.settle(g, mask)
	}
}
