package scheduler

import (
	"cmp"
	"math"
)

// fanout is the most entries of a tree node. A removal merges two neighbours that have mergeAt
// entries or fewer together, so a tree of n entries is no deeper than maxDepth for any n that fits
// in memory.
const (
	fanout   = 31
	maxDepth = 12
)

// score64 is a score as its IEEE 754 bits: scores are above zero, and such floats
// compare like the integers that their bits are.
type score64 uint64

func scoreBits(s float64) score64 { return score64(math.Float64bits(s)) }

// entry is a node as a tree of one group stores it: what decides its place and what a search
// filters by, so that a search reads no other memory.
type entry struct {
	score score64
	slot  int32
	facts
}

// facts are what a tree node keeps of an entry besides score and slot.
//
// In an inner tree node an entry summarises a child: score and hash of the child's first entry, the
// lowest cost of all, and a time after which none expires.
type facts struct {
	hash    uint64
	cost    uint64 // microcredits per second, not clamped
	expires int64  // Unix nanoseconds
	geo     geoCode
}

// noSlot is the slot of an entry that only marks a place. It sorts before all others of its score
// and hash.
const noSlot = -1

// filter is what a search requires of an entry besides its group. Below a summary that does not
// pass, no entry passes.
type filter struct {
	maxCost uint64
	now     int64 // Unix nanoseconds
}

// passes reports whether f is neither too expensive nor expired.
func (f *facts) passes(q filter) bool { return !f.dearer(q) && !f.expired(q) }

func (f *facts) dearer(q filter) bool { return f.cost > q.maxCost }

func (f *facts) expired(q filter) bool { return f.expires <= q.now }

// treeNode is a node of a B-tree. Entries stay where they were put and only their order changes:
// adding or removing one among a million touches a few cache lines, all of which are known once the
// node is, so that they are fetched together. Nodes refer to each other by number and hold no
// pointers, which leaves the garbage collector nothing to do.
type treeNode struct {
	n     uint8
	order [fanout]uint8 // a permutation: the places of the entries by rank, then the free places
	link  [fanout]int32 // the slot; in an inner node the child and its number of entries
	inner bool
	score [fanout]score64 // 0 in a free place
	_     uint64          // padding, so that an entry's facts lie in one cache line
	facts [fanout]facts
}

// tree is a B-tree of entries by falling score; equal scores by rising hash,
// then id. The zero value is empty.
type tree struct {
	root  treeID
	depth int32   // inner nodes above a leaf
	best  score64 // the best of all entries, 0 when there is none
	cost  uint64  // the lowest of all entries
}

// rank counts the entries before e, or with orAt those that are not after it. It looks at every
// score, in no order and without a branch, which is quicker than the branches of a binary search.
func (g *nodePool) rank(n *treeNode, nodes []record, e *entry, orAt bool) int {
	before, tied := uint64(0), uint64(0)
	for _, s := range &n.score {
		before += uint64(e.score-s) >> 63     // s > e.score; both are below 1<<63
		tied |= (uint64(e.score^s) - 1) >> 63 // s == e.score
	}
	if tied != 0 {
		for p, s := range &n.score {
			if s != e.score {
				continue
			}
			if c := g.compareTied(n, nodes, e, uint8(p)); c > 0 || c == 0 && orAt {
				before++
			}
		}
	}
	return int(before)
}

// compareTied orders e and the entry at p, whose scores are equal, by rising hash, then id.
func (g *nodePool) compareTied(n *treeNode, nodes []record, e *entry, p uint8) int {
	if c := cmp.Compare(e.hash, n.facts[p].hash); c != 0 {
		return c
	}
	for n.inner { // the summary stands for the child's first entry
		n = g.kid(n, p)
		p = n.order[0]
	}
	switch {
	case e.slot == n.link[p]:
		return 0
	case e.slot == noSlot:
		return -1
	}
	return cmp.Compare(nodes[e.slot].id, nodes[n.link[p]].id)
}

// childFor returns the rank of the child whose range holds e.
func (g *nodePool) childFor(n *treeNode, nodes []record, e *entry) int {
	return max(g.rank(n, nodes, e, true)-1, 0)
}

// linkTo returns an inner node's link to a child with n entries.
func linkTo(id treeID, n uint8) int32 { return int32(id<<linkBits | treeID(n)) }

const linkBits = 5 // enough for a number up to fanout

// kidID returns the child at place p of an inner node.
func (n *treeNode) kidID(p uint8) treeID { return treeID(n.link[p]) >> linkBits }

// kidSize returns how many entries that child has.
func (n *treeNode) kidSize(p uint8) int { return int(n.link[p] & (1<<linkBits - 1)) }

func (g *nodePool) kid(n *treeNode, p uint8) *treeNode { return g.node(n.kidID(p)) }

// at returns the entry of a rank.
func (n *treeNode) at(rank int) entry {
	p := n.order[rank]
	return entry{n.score[p], n.link[p], n.facts[p]}
}

// summary returns the entry that stands for n, whose number is id, in its parent.
func (n *treeNode) summary(id treeID) entry {
	s := n.at(0)
	s.slot, s.geo = linkTo(id, n.n), 0
	for _, p := range n.order[1:n.n] {
		s.cost = min(s.cost, n.facts[p].cost)
		s.expires = max(s.expires, n.facts[p].expires)
	}
	return s
}

func (g *nodePool) insert(t *tree, nodes []record, e *entry) {
	if t.root == 0 {
		t.root, t.cost = g.alloc(false), e.cost
	}
	t.cost = min(t.cost, e.cost)
	if right := g.insertAt(t.root, nodes, e); right != 0 {
		left := t.root
		t.root = g.alloc(true)
		t.depth++
		root := g.node(t.root)
		l, r := g.node(left).summary(left), g.node(right).summary(right)
		root.put(0, &l)
		root.put(1, &r)
	}
	t.best = g.node(t.root).first()
}

// first returns the score of the first entry.
func (n *treeNode) first() score64 { return n.score[n.order[0]] }

// insertAt inserts e below the node id. It returns the new right neighbour when it had to split the
// node.
func (g *nodePool) insertAt(id treeID, nodes []record, e *entry) (right treeID) {
	n := g.node(id)
	if !n.inner {
		return g.put(n, g.rank(n, nodes, e, false), e)
	}
	i := g.childFor(n, nodes, e)
	kid := n.kidID(n.order[i])
	right = g.insertAt(kid, nodes, e)
	if right == 0 {
		n.widen(i, g.node(kid), e)
		return 0
	}
	n.summarise(i, g.node(kid))
	s := g.node(right).summary(right)
	return g.put(n, i+1, &s)
}

// put gives e rank i and splits n when it is full.
func (g *nodePool) put(n *treeNode, i int, e *entry) (right treeID) {
	if n.n == fanout {
		right = g.split(n, i)
		if i > int(n.n) {
			g.node(right).put(i-int(n.n), e)
			return right
		}
	}
	n.put(i, e)
	return right
}

func (n *treeNode) put(i int, e *entry) {
	p := n.order[n.n]
	copy(n.order[i+1:n.n+1], n.order[i:n.n])
	n.order[i] = p
	n.score[p], n.link[p], n.facts[p] = e.score, e.slot, e.facts
	n.n++
}

// split moves the upper part of n to a new node. Appending at the end, as when nodes arrive in
// order of score, leaves the left node nearly full.
func (g *nodePool) split(n *treeNode, at int) treeID {
	keep := fanout / 2
	if at == fanout {
		keep = fanout - 2
	}
	id := g.alloc(n.inner)
	n.moveTo(g.node(id), keep)
	return id
}

// moveTo appends the entries of n from a rank on to another node.
func (n *treeNode) moveTo(to *treeNode, from int) {
	for int(n.n) > from {
		e := n.at(from)
		to.put(int(to.n), &e)
		n.drop(from)
	}
}

// summarise rebuilds the entry of rank i from all of its child.
func (n *treeNode) summarise(i int, kid *treeNode) {
	p := n.order[i]
	s := kid.summary(n.kidID(p))
	n.score[p], n.link[p], n.facts[p] = s.score, s.slot, s.facts
}

// widen updates the summary of the child of rank i after e was inserted into the child.
func (n *treeNode) widen(i int, kid *treeNode, e *entry) {
	p := n.order[i]
	own := &n.facts[p]
	if e.score >= n.score[p] {
		n.follow(p, kid)
	}
	n.link[p] = linkTo(n.kidID(p), kid.n)
	own.cost = min(own.cost, e.cost)
	own.expires = max(own.expires, e.expires)
}

// follow copies the child's first entry into the summary at p.
func (n *treeNode) follow(p uint8, kid *treeNode) {
	first := kid.order[0]
	n.score[p], n.facts[p].hash = kid.score[first], kid.facts[first].hash
}
