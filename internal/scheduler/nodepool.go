package scheduler

// treeID is the number of a tree node, 0 for none.
type treeID uint32

// groveChunk is how many tree nodes are allocated at a time.
const groveChunk = 16

// pool holds the nodes of all trees of an index. A node that a tree gives back is
// used again, so an index whose size is steady allocates nothing. Inner nodes have
// chunks of their own: they are few and in use all the time.
type nodePool struct {
	chunks []*[groveChunk]treeNode
	free   [2][]treeID // leaves, inner nodes
}

func (g *nodePool) node(id treeID) *treeNode { return &g.chunks[id/groveChunk][id%groveChunk] }

// kind is the free list of a node.
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
		first := treeID(len(g.chunks)) * groveChunk
		g.chunks = append(g.chunks, new([groveChunk]treeNode))
		for id := first + groveChunk - 1; id > max(first, 1)-1; id-- {
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

// release takes a node that no tree refers to any more.
func (g *nodePool) release(id treeID) {
	free := &g.free[kind(g.node(id).inner)]
	*free = append(*free, id)
}
