package scheduler

import (
	"time"

	"inos/internal/identity"
)

// record is the stored form of a node: the two cache lines that a decision or a change reads.
// Group, hash, score and geo are derived.
type record struct {
	id identity.PeerID
	facts
	score   float64
	latency time.Duration

	service  time.Duration // 0 until a job has ended there
	seq      uint64
	group    int32
	free     uint32 // slots, as reported
	queue    uint32
	capacity uint32 // slots that the node is taken to have
	held     uint32 // leases
	used     uint32 // of the leases held, those taken since the last report
	back     uint32 // leases taken before the last report and returned since
	report   uint32 // counts the reports
	mark     uint32 // == epoch: excluded from the current decision
	gen      uint32 // generation of the slot, so that an old Lease is recognised
	failures float32
	trust    trust
	reach    reach
	way      way
	stranger uint8 // jobs at a time until it has done one; 0: it is proven
}

// detail is the part of a node that is seldom read.
type detail struct {
	geoHash string
	due     int64 // the bucket of the expiry wheel that holds this node
	listed  listing
}

func (x *Index) node(slot int32) Node {
	r := &x.nodes[slot]
	return Node{
		ID: r.id, Capabilities: x.caps.groups[r.group].names, GeoHash: x.details[slot].geoHash,
		Latency: r.latency, CreditCost: r.cost, FreeSlots: r.available(), QueueLength: r.queue,
		Expires: time.Unix(0, r.expires), Sequence: r.seq,
		Slots: r.capacity, InFlight: r.held, Service: r.service, Failures: float64(r.failures),
		Undialable: r.way&undialable != 0, Unheard: r.way&unheard != 0, Stranger: r.stranger,
	}
}

func (r *record) entry(slot int32) entry {
	return entry{scoreBits(r.score), slot, r.facts}
}

// standing is a node's place in the index: its entry, its partition and its group's tree.
type standing struct {
	entry
	partition *partition
	group     int32
	mask      uint64
}

func (x *Index) standing(slot int32) standing {
	r := &x.nodes[slot]
	return standing{r.entry(slot), x.partitionOf(r), r.group, x.caps.groups[r.group].mask}
}

func (x *Index) partitionOf(r *record) *partition {
	switch {
	case r.way&undialable != 0, r.way&unheard != 0 && (r.available() == 0 || r.way&asked != 0):
		return &x.away
	case r.way&unheard != 0:
		return &x.heard
	case r.available() > 0 && r.stranger > 0:
		return &x.newReady
	case r.available() > 0:
		return &x.ready
	case r.stranger > 0:
		return &x.newBusy
	}
	return &x.busy
}
