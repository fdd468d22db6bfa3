package scheduler

// fanout bounds the entries of a tree node, which with 31 fills an allocation of
// 1,536 bytes. Two neighbours that would fit into
// one are merged on removal, so nodes are half full on average at least and a
// tree of n entries is no deeper than maxDepth for any n that fits in memory.
const (
	fanout   = 31
	maxDepth = 12
)

// entry is a node as a tree of one group sees it: what decides its place and
// what a search filters by, so that a search touches no other memory.
//
// In an inner tree node an entry summarises a child: score, hash and slot of its
// first entry, the lowest cost and the latest expiry of all.
type entry struct {
	score   float64
	hash    uint64
	cost    uint64 // microcredits per second, not clamped
	expires int64  // Unix nanoseconds
	geo     geoCode
	slot    int32
}

// noSlot is the slot of an entry that only marks a place: it sorts before all
// others of its score and hash.
const noSlot = -1

// filter is what a search asks of an entry besides its group. A summary that
// does not pass has nothing below it that does.
type filter struct {
	maxCost uint64
	now     int64 // Unix nanoseconds
}

func (e *entry) passes(f filter) bool { return e.cost <= f.maxCost && e.expires > f.now }

// tree is a B-tree of entries by falling score; equal scores by rising hash,
// then id. The zero value is empty.
type tree struct {
	root *treeNode
}

type treeNode struct {
	n    int
	e    [fanout]entry
	kids *[fanout]*treeNode // nil in a leaf
}

// before is the order of the tree.
func before(nodes []record, a, b *entry) bool {
	switch {
	case a.score != b.score:
		return a.score > b.score
	case a.hash != b.hash:
		return a.hash < b.hash
	case a.slot == b.slot || b.slot == noSlot:
		return false
	case a.slot == noSlot:
		return true
	}
	return nodes[a.slot].id < nodes[b.slot].id
}

// best is the score of the first entry, 0 when there is none.
func (t *tree) best() float64 {
	if t.root == nil {
		return 0
	}
	return t.root.e[0].score
}

// childFor is the index of the child whose range holds e.
func (n *treeNode) childFor(nodes []record, e *entry) int {
	lo, hi := 1, n.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if before(nodes, e, &n.e[mid]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo - 1
}

// lowerBound is the index of the first entry of a leaf that is not before e.
func (n *treeNode) lowerBound(nodes []record, e *entry) int {
	lo, hi := 0, n.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if before(nodes, &n.e[mid], e) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// summary is the entry that stands for n in its parent.
func (n *treeNode) summary() entry {
	s := n.e[0]
	for i := 1; i < n.n; i++ {
		s.cost = min(s.cost, n.e[i].cost)
		s.expires = max(s.expires, n.e[i].expires)
	}
	return s
}

func (t *tree) insert(nodes []record, e *entry) {
	if t.root == nil {
		t.root = &treeNode{}
	}
	if right := t.root.insert(nodes, e); right != nil {
		left := t.root
		t.root = &treeNode{n: 2, kids: &[fanout]*treeNode{left, right}}
		t.root.e[0], t.root.e[1] = left.summary(), right.summary()
	}
}

// insert returns the new right neighbour when n had to be split.
func (n *treeNode) insert(nodes []record, e *entry) *treeNode {
	if n.kids == nil {
		return n.put(n.lowerBound(nodes, e), e, nil)
	}
	i := n.childFor(nodes, e)
	right := n.kids[i].insert(nodes, e)
	if right == nil {
		n.absorb(i, e)
		return nil
	}
	n.e[i] = n.kids[i].summary()
	s := right.summary()
	return n.put(i+1, &s, right)
}

// absorb widens the summary of child i by e, which has gone into it.
func (n *treeNode) absorb(i int, e *entry) {
	s := &n.e[i]
	first := &n.kids[i].e[0]
	s.score, s.hash, s.geo, s.slot = first.score, first.hash, first.geo, first.slot
	s.cost = min(s.cost, e.cost)
	s.expires = max(s.expires, e.expires)
}

// put places e, and kid in an inner node, at i and splits n when it is full.
func (n *treeNode) put(i int, e *entry, kid *treeNode) (right *treeNode) {
	if n.n == fanout {
		right = n.split(i)
		if i > n.n {
			right.put(i-n.n, e, kid)
			return right
		}
	}
	copy(n.e[i+1:n.n+1], n.e[i:n.n])
	n.e[i] = *e
	if n.kids != nil {
		copy(n.kids[i+1:n.n+1], n.kids[i:n.n])
		n.kids[i] = kid
	}
	n.n++
	return right
}

// split moves the upper part of n to a new node. Appending at the end, as when
// nodes arrive in order of score, leaves the left one nearly full.
func (n *treeNode) split(at int) *treeNode {
	keep := fanout / 2
	if at == fanout {
		keep = fanout - 2
	}
	right := &treeNode{n: fanout - keep}
	copy(right.e[:], n.e[keep:])
	if n.kids != nil {
		right.kids = &[fanout]*treeNode{}
		copy(right.kids[:], n.kids[keep:])
		clear(n.kids[keep:])
	}
	n.n = keep
	return right
}
