package scheduler

import (
	"slices"
	"time"

	"inos/internal/identity"
)

// Lease is a slot of a node set aside for one job. Between two reports of the
// node this is how the index knows that the slot is taken.
type Lease struct {
	slot    int32
	gen, id uint32
}

// held is a lease not yet returned.
type held struct {
	id       uint32
	at       int64  // Unix nanoseconds
	reported uint32 // the report that was current; an older one counts it in
}

// settle is how much longer than a round trip a job may take to show in its
// node's report.
const settle = 100 * time.Millisecond

// available is how many slots are free for all that is known: those of the last
// report, less the leases taken since, plus those returned that the report counted
// as taken. A report may cross a job on its way and miss it, so never more than
// the node is known to have, less the leases held.
func (r *record) available() uint32 {
	have := int64(r.free) + int64(r.back) - int64(r.used)
	have = min(have, int64(r.capacity)-int64(r.held))
	switch {
	case r.trust == quarantined || r.reach == unreachable:
		return 0
	case r.trust == probing || r.reach == doubtful:
		have = min(have, 1-int64(r.held))
	case r.stranger > 0:
		have = min(have, int64(r.stranger)-int64(r.held))
	}
	return uint32(max(have, 0))
}

// full reports whether r has no slot free, and nothing else keeps it from having one.
func (r *record) full() bool {
	return r.available() == 0 && r.trust != quarantined && r.reach != unreachable
}

// reported takes a new report in.
func (x *Index) reported(slot int32, free uint32, now time.Time) {
	r := &x.nodes[slot]
	r.free, r.used, r.back = free, 0, 0
	r.report++
	// Leases old enough to have reached the node are part of the report.
	seen := uint64(free)
	if r.held > 0 {
		limit := x.line.Nanos(now) - int64(r.latency+settle)
		for _, h := range x.leases[slot] {
			if h.at <= limit {
				seen++
			}
		}
	}
	// What is believed beyond even all leases is given up slot by slot: jobs of others
	// may hide slots for a while, but a node may also have fewer than it had, or a
	// report that had crossed a job on its way may have been taken for more slots.
	believed := uint64(r.capacity)
	if believed > uint64(free)+uint64(r.held) {
		believed--
	}
	r.capacity = uint32(min(max(seen, believed), 1<<32-1))
}

// Acquire sets one slot of id aside; false when id is unknown or has none free.
func (x *Index) Acquire(id identity.PeerID, now time.Time) (Lease, bool) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		return Lease{}, false
	}
	r := &x.nodes[slot]
	if r.available() == 0 {
		return Lease{}, false
	}
	was := x.standing(slot)
	r.used++
	r.held++
	x.leaseID++
	x.leases[slot] = append(x.leases[slot], held{x.leaseID, x.line.Nanos(now), r.report})
	x.rescore(slot)
	x.replace(slot, &was)
	return Lease{slot: slot, gen: r.gen, id: x.leaseID}, true
}

// Release returns a lease. One returned before, or of a node that has since been
// forgotten, is ignored.
func (x *Index) Release(l Lease) {
	if int(l.slot) >= len(x.nodes) || x.nodes[l.slot].gen != l.gen {
		return
	}
	list := x.leases[l.slot]
	i := slices.IndexFunc(list, func(h held) bool { return h.id == l.id })
	if i < 0 {
		return
	}
	r := &x.nodes[l.slot]
	was := x.standing(l.slot)
	if list[i].reported == r.report {
		r.used--
	} else {
		r.back++
	}
	r.held--
	if len(list) == 1 {
		delete(x.leases, l.slot)
	} else {
		x.leases[l.slot] = slices.Delete(list, i, i+1)
	}
	x.rescore(l.slot)
	x.replace(l.slot, &was)
}

// Full says that id has refused a job for want of a slot: whatever it reported,
// it has none free until it reports again or a lease is returned.
func (x *Index) Full(id identity.PeerID, now time.Time) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		return
	}
	was := x.standing(slot)
	x.reported(slot, 0, now)
	x.rescore(slot)
	x.replace(slot, &was)
}
