package scheduler

// treeID is the number of a tree node, 0 for none.
type treeID uint32

// chunkNodes is how many tree nodes are allocated at a time.
const chunkNodes = 16

// nodePool holds the nodes of all trees of an index. It reuses nodes that a tree gives back, so an
// index of steady size allocates nothing. Inner nodes have chunks of their own: they are few and in
// constant use.
type nodePool struct {
	chunks []*[chunkNodes]treeNode
	free   [2][]treeID // leaves, inner nodes
}

func (g *nodePool) node(id treeID) *treeNode { return &g.chunks[id/chunkNodes][id%chunkNodes] }

// kind returns the number of the free list for a node: 0 for leaves, 1 for inner nodes.
func kind(inner bool) int {
	if inner {
		return 1
	}
	return 0
}

// alloc returns an empty node.
func (g *nodePool) alloc(inner bool) treeID {
	free := &g.free[kind(inner)]
	if len(*free) == 0 {
		first := treeID(len(g.chunks)) * chunkNodes
		g.chunks = append(g.chunks, new([chunkNodes]treeNode))
		for id := first + chunkNodes - 1; id > max(first, 1)-1; id-- {
			*free = append(*free, id)
		}
	}
	id := (*free)[len(*free)-1]
	*free = (*free)[:len(*free)-1]
	n := g.node(id)
	n.n, n.inner = 0, inner
	for i := range n.order {
		n.order[i], n.link[i], n.score[i] = uint8(i), noSlot, 0
	}
	return id
}

// release takes back a node that no tree refers to any more.
func (g *nodePool) release(id treeID) {
	free := &g.free[kind(g.node(id).inner)]
	*free = append(*free, id)
}
