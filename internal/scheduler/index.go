package scheduler

import (
	"fmt"
	"math"
	"time"

	"inos/internal/clock"
	"inos/internal/identity"
)

// Config of an Index; the zero value is the default.
type Config struct {
	Scorer   Scorer // nil means Formula
	MaxNodes int    // 0 means 1<<20
}

// Index holds the known nodes. A change of one among n nodes costs O(log n). Choose reads few
// entries and allocates nothing.
type Index struct {
	scorer   Scorer
	maxNodes int

	line clock.Line // makes the numbers of every time kept here

	caps    *capabilities
	geo     *geoIndex
	expiry  expiryWheel
	ids     ids
	nodes   []record // by slot
	details []detail // by slot
	free    []int32  // unused slots

	pool  nodePool
	ready partition // nodes with a free slot
	busy  partition // the others
	away  partition // unreachable nodes, which no decision looks at
	heard partition // nodes that have never answered here, which only Unheard looks at
	// Unproven nodes stand apart, so that any number of them does not slow down the search for
	// proven ones.
	newReady, newBusy partition

	service    time.Duration    // moving average over all nodes, 0 until there is one
	leases     map[int32][]held // by slot, of nodes that have any
	leaseID    uint32
	failures   map[int32]*failureRecord // by slot, of nodes that failed not long ago
	history    failureHistory
	tombstones tombstones

	q query // scratch of the current decision
}

// New returns an empty Index.
func New(c Config) *Index {
	if c.Scorer == nil {
		c.Scorer = Formula{}
	}
	if c.MaxNodes <= 0 {
		c.MaxNodes = 1 << 20
	}
	x := &Index{
		scorer:     c.Scorer,
		maxNodes:   min(c.MaxNodes, math.MaxInt32-1),
		caps:       newCapabilities(),
		geo:        newGeoIndex(),
		expiry:     newExpiryWheel(),
		ids:        newIDs(),
		leases:     make(map[int32][]held),
		failures:   make(map[int32]*failureRecord),
		history:    make(failureHistory),
		tombstones: make(tombstones),
	}
	for _, s := range []*partition{&x.ready, &x.busy, &x.newReady, &x.newBusy, &x.away, &x.heard} {
		s.nodePool = &x.pool
	}
	x.q.caps, x.q.cursor.g = x.caps, &x.pool
	return x
}

// Len is the number of nodes. It includes expired ones that Sweep has not removed yet.
func (x *Index) Len() int { return x.ids.count }

// Node returns what the index knows of id. FreeSlots excludes slots with a lease. The slice belongs
// to the index.
func (x *Index) Node(id identity.PeerID) (Node, bool) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		return Node{}, false
	}
	return x.node(slot), true
}

// Upsert adds n or replaces what the index knows of it. A profile with the known sequence number
// counts as the same report: free slots stay as they are. Errors match the Err... values of node.go
// and leave the index unchanged.
func (x *Index) Upsert(n Node, now time.Time) error {
	if err := n.validate(now); err != nil {
		return err
	}
	if slot, ok := x.guess(n.ID); ok {
		x.prefetch(slot, x.added(slot, n))
	}
	slot, known := x.ids.find(x.nodes, n.ID)
	n.Slots, n.InFlight, n.Service, n.Failures = n.FreeSlots, 0, x.service, 0
	if known {
		n = x.added(slot, n)
	}
	score := x.scoreOf(n)
	if !validScore(score) {
		return fmt.Errorf("%w: %v", ErrScore, score)
	}
	var last uint64
	if known {
		last = x.nodes[slot].seq
	} else {
		last = x.tombstones[n.ID].seq
	}
	if n.Sequence < last {
		return fmt.Errorf("%w: sequence %d after %d", ErrReplayed, n.Sequence, last)
	}
	if !known {
		if x.ids.count >= x.maxNodes {
			return fmt.Errorf("%w: %d nodes", ErrFull, x.ids.count)
		}
		slot = x.add(n)
		delete(x.tombstones, n.ID)
		if b := x.history.restore(n.ID, x.line.Nanos(now)); b != nil {
			x.failures[slot] = b
			x.nodes[slot].trust, x.nodes[slot].reach, x.nodes[slot].failures = b.trust, b.reach, float32(b.count)
			n = x.added(slot, n)
			if s := x.scoreOf(n); validScore(s) {
				score = s
			}
		}
	}
	r, d := &x.nodes[slot], &x.details[slot]
	var was standing
	if known {
		was = x.standing(slot)
	}
	if geo, _ := parseGeo(n.GeoHash); geo != r.geo {
		x.geo.remove(r, x.details, slot)
		r.geo, d.geoHash = geo, n.GeoHash
		x.geo.add(r, x.details, slot)
	}
	r.latency, r.cost, r.score = n.Latency, n.CreditCost, score
	if !known || n.Sequence > r.seq {
		x.reported(slot, n.FreeSlots, now)
	}
	r.queue, r.seq, r.way, r.stranger = n.QueueLength, n.Sequence, wayOf(n)|r.way&asked, n.Stranger
	if r.capacity != n.Slots { // the report counted the leases
		n.Slots = r.capacity
		if score = x.scoreOf(n); validScore(score) {
			r.score = score
		}
	}
	r.expires = x.line.Nanos(n.Expires)
	x.expiry.schedule(d, r.expires, slot)
	if !known {
		r.group = x.caps.acquire(n.Capabilities)
		x.geo.note(r, d, slot)
		is := x.standing(slot)
		is.partition.insert(x.nodes, r.group, is.mask, &is.entry)
		return nil
	}
	if x.caps.is(r.group, n.Capabilities) {
		x.replace(slot, &was)
		return nil
	}
	r.group = x.caps.acquire(n.Capabilities)
	x.replace(slot, &was)
	x.caps.release(was.group)
	return nil
}

// added returns the report n with what the index itself knows of the node.
func (x *Index) added(slot int32, n Node) Node {
	r := &x.nodes[slot]
	n.Slots, n.InFlight, n.Service = max(r.capacity, n.FreeSlots), r.held, r.service
	n.Failures = float64(r.failures)
	return n
}

// add gives a new node its slot.
func (x *Index) add(n Node) int32 {
	var slot int32
	if k := len(x.free); k > 0 {
		slot = x.free[k-1]
		x.free = x.free[:k-1]
	} else {
		slot = int32(len(x.nodes))
		x.nodes = append(x.nodes, record{})
		x.details = append(x.details, detail{due: never})
	}
	// The bucket that holds the slot keeps it for its new owner.
	x.details[slot] = detail{due: x.details[slot].due}
	x.nodes[slot] = record{id: n.ID, facts: facts{hash: hashText(n.ID)}, gen: x.nodes[slot].gen + 1, service: x.service}
	x.ids.add(n.ID, slot)
	return slot
}

// Remove drops id except for its failures and its last sequence number. It reports whether id was
// known.
func (x *Index) Remove(id identity.PeerID) bool {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		return false
	}
	r := &x.nodes[slot]
	was := x.standing(slot)
	was.partition.remove(x.nodes, r.group, was.mask, &was.entry)
	x.geo.remove(r, x.details, slot)
	x.caps.release(r.group)
	x.ids.remove(id, slot)
	delete(x.leases, slot)
	x.tombstones.keep(id, r.seq, r.expires)
	if b := x.failures[slot]; b != nil {
		delete(x.failures, slot)
		x.history.keep(id, b)
	}
	*r = record{gen: r.gen}
	x.details[slot] = detail{due: x.details[slot].due}
	x.free = append(x.free, slot)
	return true
}

// SetLatency replaces the latency of id with this node's own measurement.
func (x *Index) SetLatency(id identity.PeerID, d time.Duration) error {
	if slot, ok := x.guess(id); ok {
		n := x.node(slot)
		n.Latency = d
		x.prefetch(slot, n)
	}
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknownNode, id)
	}
	if d < 0 {
		return fmt.Errorf("%w: %v", ErrLatency, d)
	}
	n := x.node(slot)
	n.Latency = d
	score := x.scoreOf(n)
	if !validScore(score) {
		return fmt.Errorf("%w: %v", ErrScore, score)
	}
	was := x.standing(slot)
	r := &x.nodes[slot]
	r.latency, r.score = d, score
	x.replace(slot, &was)
	return nil
}

// replace moves slot's entry from its former place to the one that the record gives.
func (x *Index) replace(slot int32, was *standing) {
	is := x.standing(slot)
	if was.score != is.score || was.group != is.group {
		x.geo.note(&x.nodes[slot], &x.details[slot], slot)
	}
	switch {
	case was.partition != is.partition || was.group != is.group || was.score != is.score:
		was.partition.remove(x.nodes, was.group, was.mask, &was.entry)
		is.partition.insert(x.nodes, is.group, is.mask, &is.entry)
	case was.entry != is.entry:
		is.partition.refresh(x.nodes, is.group, is.mask, &is.entry, was.facts)
	}
}
