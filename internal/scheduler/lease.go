package scheduler

import (
	"slices"
	"time"

	"inos/internal/identity"
)

// Lease is a slot of a node set aside for one job. Between two reports of the node, leases tell the
// index which slots are taken.
type Lease struct {
	slot    int32
	gen, id uint32
}

// held is a lease that has not been returned.
type held struct {
	id       uint32
	at       int64  // Unix nanoseconds
	reported uint32 // the report current then; every later one counts the lease
}

// settle is how much longer than a round trip a job may take to appear in its node's report.
const settle = 100 * time.Millisecond

// available estimates how many slots are free: those of the last report, less the leases taken
// since, plus the returned ones that the report counted as taken. A report may cross a job on its
// way and miss it, so the result never exceeds the node's known slots less the leases held.
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

// full reports whether r is kept from having a job by nothing but the lack of a free slot.
func (r *record) full() bool {
	return r.available() == 0 && r.trust != quarantined && r.reach != unreachable
}

// reported applies a new report.
func (x *Index) reported(slot int32, free uint32, now time.Time) {
	r := &x.nodes[slot]
	r.free, r.used, r.back = free, 0, 0
	r.report++
	// A report includes leases that are old enough to have reached the node.
	seen := uint64(free)
	if r.held > 0 {
		limit := x.line.Nanos(now) - int64(r.latency+settle)
		for _, h := range x.leases[slot] {
			if h.at <= limit {
				seen++
			}
		}
	}
	// A capacity beyond what the report and all leases account for is given up slot by slot. Jobs
	// of others may hide slots for a while; but the node may also have fewer slots than before, or
	// an earlier report that crossed a job on its way may have been counted as more slots.
	capacity := uint64(r.capacity)
	if capacity > uint64(free)+uint64(r.held) {
		capacity--
	}
	r.capacity = uint32(min(max(seen, capacity), 1<<32-1))
}

// Acquire sets one slot of id aside. It returns false when id is unknown or has no free slot.
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

// Release returns a lease. It ignores a lease that was returned before and one of a node that has
// been removed since.
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

// Full records that id has refused a job for want of a slot. Whatever id reported, the index takes
// it as having no free slot until it reports again or a lease is returned.
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
