package scheduler

// cursor walks a tree in order and skips entries that do not pass its filter, a whole subtree at a
// time. A change of the tree makes it invalid.
type cursor struct {
	g     *nodePool
	f     filter
	depth int
	path  [maxDepth]step
	entry // the current entry
}

type step struct {
	n *treeNode
	i int // the current rank
}

// first moves to the first entry that passes. It returns false when there is none.
func (c *cursor) first(t *tree) bool {
	c.depth = -1
	if t.root != 0 {
		c.push(t.root, -1)
	}
	return c.next()
}

// seek moves to the first entry at or after e that passes.
func (c *cursor) seek(nodes []record, t *tree, e *entry) bool {
	c.depth = -1
	for id := t.root; id != 0; {
		n := c.g.node(id)
		if !n.inner {
			c.push(id, c.g.rank(n, nodes, e, false)-1)
			break
		}
		i := c.g.childFor(n, nodes, e)
		c.push(id, i)
		id = n.kidID(n.order[i])
	}
	return c.next()
}

func (c *cursor) push(id treeID, i int) {
	c.depth++
	c.path[c.depth] = step{c.g.node(id), i}
}

// next moves to the next entry that passes.
func (c *cursor) next() bool {
	for c.depth >= 0 {
		top := &c.path[c.depth]
		n, i := top.n, top.i+1
		for i < int(n.n) && !n.facts[n.order[i]].passes(c.f) {
			i++
		}
		top.i = i
		switch {
		case i >= int(n.n):
			c.depth--
		case !n.inner:
			c.entry = n.at(i)
			return true
		default:
			c.push(n.kidID(n.order[i]), -1)
		}
	}
	return false
}
