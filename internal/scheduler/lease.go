package scheduler

import "inos/internal/identity"

// Lease is a slot of a node set aside for one job. Between two reports of the
// node this is how the index knows that the slot is taken.
type Lease struct {
	slot        int32
	gen, report uint32
}

// available is the number of slots free by the last report and the leases taken
// and returned since. A lease that was held when the node reported is part of
// that report, so returning it frees a slot more than the report said.
func (r *record) available() uint32 {
	have := uint64(r.free) + uint64(r.back)
	if have <= uint64(r.used) {
		return 0
	}
	return uint32(min(have-uint64(r.used), 1<<32-1))
}

// Acquire sets one slot of id aside; false when id is unknown or has none free.
func (x *Index) Acquire(id identity.PeerID) (Lease, bool) {
	slot, ok := x.slots[id]
	if !ok {
		return Lease{}, false
	}
	r := &x.nodes[slot]
	if r.available() == 0 {
		return Lease{}, false
	}
	was := *r
	r.used++
	x.replace(slot, &was, true)
	return Lease{slot: slot, gen: r.gen, report: r.report}, true
}

// Release returns a lease; one of a node that has since been forgotten is
// ignored. Every lease is released once.
func (x *Index) Release(l Lease) {
	if int(l.slot) >= len(x.nodes) {
		return
	}
	r := &x.nodes[l.slot]
	if r.id == "" || r.gen != l.gen || l.gen == 0 {
		return
	}
	was := *r
	switch {
	case l.report != r.report:
		r.back++
	case r.used > 0:
		r.used--
	}
	x.replace(l.slot, &was, true)
}
