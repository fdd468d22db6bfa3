package scheduler

import (
	"fmt"
	"math"
	"time"

	"inos/internal/identity"
)

// Config of an Index; the zero value is the default.
type Config struct {
	Scorer   Scorer // nil means Formula
	MaxNodes int    // 0 means 1<<20
}

// Index holds the known nodes. A change of one node among n costs O(log n);
// Choose looks at the few entries it needs and allocates nothing.
type Index struct {
	scorer   Scorer
	maxNodes int

	caps  *capabilities
	cells *cells
	wheel wheel
	slots map[identity.PeerID]int32
	nodes []record // by slot
	free  []int32  // unused slots

	ready shelf // nodes with a free slot
	busy  shelf // the others

	service time.Duration    // moving average over all nodes, 0 until there is one
	leases  map[int32][]held // by slot, of nodes that have any
	leaseID uint32
	blames  map[int32]*blame // by slot, of nodes that failed not long ago

	q     query  // scratch of the decision in hand
	epoch uint32 // of the marks on excluded nodes
}

// record is a node at rest. Group, hash, score and geo are derived.
type record struct {
	id      identity.PeerID
	geoHash string
	geo     geoCode
	hash    uint64
	score   float64
	latency time.Duration
	service time.Duration // 0 until a job has ended there
	cost    uint64
	expires int64
	seq     uint64

	due   int64 // the wheel's bucket that will look at this node
	group int32
	cell  [len(cellLevels)]int32
	free  uint32 // slots, as reported
	queue uint32
	mark  uint32 // == epoch: excluded from the decision in hand
	gen   uint32 // of the slot, so that an old Lease is recognised

	capacity uint32 // slots that the node is known to have
	report   uint32 // counts the reports
	held     uint32 // leases
	used     uint32 // of them, taken since the last report
	back     uint32 // leases taken before the last report and returned since
	failures float32
	trust    trust
}

// New returns an empty Index.
func New(c Config) *Index {
	if c.Scorer == nil {
		c.Scorer = Formula{}
	}
	if c.MaxNodes <= 0 {
		c.MaxNodes = 1 << 20
	}
	return &Index{
		scorer:   c.Scorer,
		maxNodes: min(c.MaxNodes, math.MaxInt32),
		caps:     newCapabilities(),
		cells:    newCells(),
		wheel:    newWheel(),
		slots:    make(map[identity.PeerID]int32),
		leases:   make(map[int32][]held),
		blames:   make(map[int32]*blame),
	}
}

// Len is the number of nodes, expired ones that Sweep has not met included.
func (x *Index) Len() int { return len(x.slots) }

// Node returns what is known of id. FreeSlots is net of the leases held. The
// slice belongs to the index.
func (x *Index) Node(id identity.PeerID) (Node, bool) {
	slot, ok := x.slots[id]
	if !ok {
		return Node{}, false
	}
	return x.node(slot), true
}

func (x *Index) node(slot int32) Node {
	r := &x.nodes[slot]
	return Node{
		ID: r.id, Capabilities: x.caps.groups[r.group].names, GeoHash: r.geoHash,
		Latency: r.latency, CreditCost: r.cost, FreeSlots: r.available(), QueueLength: r.queue,
		Expires: time.Unix(0, r.expires), Sequence: r.seq,
		Slots: r.capacity, InFlight: r.held, Service: r.service, Failures: float64(r.failures),
	}
}

// Upsert adds n or replaces what is known of it. A profile with the sequence
// number already known counts as the same report: free slots stay as they are.
// Errors match the Err... of this file's package and leave the index as it was.
func (x *Index) Upsert(n Node, now time.Time) error {
	if err := n.validate(now); err != nil {
		return err
	}
	slot, known := x.slots[n.ID]
	n.Slots, n.InFlight, n.Service, n.Failures = n.FreeSlots, 0, x.service, 0
	if known {
		r := &x.nodes[slot]
		n.Slots, n.InFlight, n.Service = max(r.capacity, n.FreeSlots), r.held, r.service
		n.Failures = float64(r.failures)
	}
	score := x.scoreOf(n)
	if !validScore(score) {
		return fmt.Errorf("%w: %v", ErrScore, score)
	}
	if known && n.Sequence < x.nodes[slot].seq {
		return fmt.Errorf("%w: sequence %d after %d", ErrReplayed, n.Sequence, x.nodes[slot].seq)
	}
	if !known {
		if len(x.slots) >= x.maxNodes {
			return fmt.Errorf("%w: %d nodes", ErrFull, len(x.slots))
		}
		slot = x.add(n)
	}
	r := &x.nodes[slot]
	was := *r
	if geo, _ := parseGeo(n.GeoHash); geo != r.geo {
		x.cells.remove(x.nodes, slot)
		r.geo, r.geoHash = geo, n.GeoHash
		x.cells.add(x.nodes, slot)
	}
	r.latency, r.cost, r.score = n.Latency, n.CreditCost, score
	if !known || n.Sequence > r.seq {
		x.reported(slot, n.FreeSlots, now)
	}
	r.queue, r.seq = n.QueueLength, n.Sequence
	if r.capacity != n.Slots { // the report counted leases in
		n.Slots = r.capacity
		if score = x.scoreOf(n); validScore(score) {
			r.score = score
		}
	}
	r.expires = unixNano(n.Expires)
	x.wheel.schedule(r, slot)
	r.group = x.caps.acquire(n.Capabilities)
	x.replace(slot, &was, known)
	if known {
		x.caps.release(was.group)
	}
	return nil
}

// add gives a new node its slot.
func (x *Index) add(n Node) int32 {
	var slot int32
	if k := len(x.free); k > 0 {
		slot = x.free[k-1]
		x.free = x.free[:k-1]
	} else {
		slot = int32(len(x.nodes))
		x.nodes = append(x.nodes, record{due: never})
	}
	// The bucket that holds the slot goes on holding it for its new owner.
	old := &x.nodes[slot]
	x.nodes[slot] = record{id: n.ID, hash: hashText(n.ID), gen: old.gen + 1, due: old.due, service: x.service}
	x.slots[n.ID] = slot
	return slot
}

// Remove forgets id and reports whether it was known.
func (x *Index) Remove(id identity.PeerID) bool {
	slot, ok := x.slots[id]
	if !ok {
		return false
	}
	r := &x.nodes[slot]
	e := r.entry(slot)
	x.shelf(r).remove(x.nodes, r.group, x.caps.groups[r.group].mask, &e)
	x.cells.remove(x.nodes, slot)
	x.caps.release(r.group)
	delete(x.slots, id)
	delete(x.leases, slot)
	delete(x.blames, slot)
	*r = record{gen: r.gen, due: r.due}
	x.free = append(x.free, slot)
	return true
}

// SetLatency replaces the latency of id: this node's own measurement.
func (x *Index) SetLatency(id identity.PeerID, d time.Duration) error {
	slot, ok := x.slots[id]
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
	r := &x.nodes[slot]
	was := *r
	r.latency, r.score = d, score
	x.replace(slot, &was, true)
	return nil
}

// replace moves slot's entry from where was put it to where the record says.
func (x *Index) replace(slot int32, was *record, known bool) {
	r := &x.nodes[slot]
	e, mask := r.entry(slot), x.caps.groups[r.group].mask
	to := x.shelf(r)
	if known {
		old, from := was.entry(slot), x.shelf(was)
		switch {
		case from != to || was.group != r.group || old.score != e.score:
			from.remove(x.nodes, was.group, x.caps.groups[was.group].mask, &old)
		case old != e:
			to.trees[r.group].refresh(x.nodes, &e)
			return
		default:
			return
		}
	}
	to.insert(x.nodes, r.group, mask, &e)
}

func (x *Index) shelf(r *record) *shelf {
	if r.available() > 0 {
		return &x.ready
	}
	return &x.busy
}

func (r *record) entry(slot int32) entry {
	return entry{score: r.score, hash: r.hash, cost: r.cost, expires: r.expires, geo: r.geo, slot: slot}
}
