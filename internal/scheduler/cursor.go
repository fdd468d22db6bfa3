package scheduler

// cursor walks a tree in order and steps over what does not pass its filter, a
// whole subtree at a time. It is void after a change of the tree.
type cursor struct {
	f     filter
	depth int
	path  [maxDepth]step
}

type step struct {
	n *treeNode
	i int // the entry last looked at
}

// first moves to the first entry that passes f, nil when there is none.
func (c *cursor) first(t *tree, f filter) *entry {
	c.f = f
	c.depth = -1
	if t.root != nil {
		c.push(t.root, -1)
	}
	return c.next()
}

// seek moves to the first entry at or after e that passes f.
func (c *cursor) seek(nodes []record, t *tree, e *entry, f filter) *entry {
	c.f = f
	c.depth = -1
	for n := t.root; n != nil; {
		if n.kids == nil {
			c.push(n, n.lowerBound(nodes, e)-1)
			break
		}
		i := n.childFor(nodes, e)
		c.push(n, i)
		n = n.kids[i]
	}
	return c.next()
}

func (c *cursor) push(n *treeNode, i int) {
	c.depth++
	c.path[c.depth] = step{n, i}
}

// next moves on.
func (c *cursor) next() *entry {
	for c.depth >= 0 {
		top := &c.path[c.depth]
		i := top.i + 1
		for i < top.n.n && !top.n.e[i].passes(c.f) {
			i++
		}
		top.i = i
		switch {
		case i >= top.n.n:
			c.depth--
		case top.n.kids == nil:
			return &top.n.e[i]
		default:
			c.push(top.n.kids[i], -1)
		}
	}
	return nil
}
