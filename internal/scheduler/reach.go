package scheduler

import (
	"time"

	"inos/internal/identity"
)

// How the index deals with nodes that nobody answers for. A job that could not even be
// sent says nothing against a node, and may be this side's doing: so it costs the node
// no score. The node is passed over for firstPass, twice as long each time, up to
// longestPass; then it gets one job at a time until one has reached it.
const (
	firstPass   = time.Second
	longestPass = 30 * time.Second
)

// reach is whether a job gets through to a node, as far as this side knows.
type reach uint8

const (
	reachable   reach = iota
	doubtful          // not since the last time it did not: one job at a time
	unreachable       // passed over
)

// missed passes a node over from now on.
func (b *failureRecord) missed(now int64) {
	if b.reach == unreachable {
		return // a job from before; it changes nothing
	}
	b.pause = min(max(2*b.pause, firstPass), longestPass)
	b.reach, b.back = unreachable, now+int64(b.pause)
}

// returned lets the time pass that a node is passed over, and reports whether it ended.
func (b *failureRecord) returned(now int64) bool {
	if b.reach != unreachable || b.back > now {
		return false
	}
	b.reach = doubtful
	return true
}

// reached says that something has got through.
func (b *failureRecord) reached() { b.reach, b.pause, b.back = reachable, 0, 0 }

// Unreachable says that nothing could be sent to id: it is passed over for a while.
func (x *Index) Unreachable(id identity.PeerID, now time.Time) {
	t := x.line.Nanos(now)
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		x.history.missed(id, t)
		return
	}
	x.amend(slot, x.failuresOf(slot, t), func(b *failureRecord) { b.missed(t) })
}

// Reached says that id has answered: it is passed over no more.
func (x *Index) Reached(id identity.PeerID) (back bool) {
	return x.reachAgain(id, func(b *failureRecord) { b.reached() })
}

// MayBeReached says that there is a new way to id, of which nobody knows yet whether it
// leads there: it gets one job now. When that fails it is passed over for longer than
// the last time.
func (x *Index) MayBeReached(id identity.PeerID) (back bool) {
	return x.reachAgain(id, func(b *failureRecord) { b.returned(b.back) })
}

// reachAgain reports whether change ended the passing over of id.
func (x *Index) reachAgain(id identity.PeerID, change func(*failureRecord)) (back bool) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		return false
	}
	b := x.failures[slot]
	if b == nil || b.reach == reachable {
		return false
	}
	back = b.reach == unreachable
	x.amend(slot, b, change)
	return back && b.reach != unreachable
}

// failuresOf is what is held against the node in slot, to be added to.
func (x *Index) failuresOf(slot int32, now int64) *failureRecord {
	b := x.failures[slot]
	if b == nil {
		b = &failureRecord{at: now, length: quarantine}
		x.failures[slot] = b
	}
	return b
}

// amend changes what is held against the node in slot.
func (x *Index) amend(slot int32, b *failureRecord, change func(*failureRecord)) {
	was := x.standing(slot)
	change(b)
	x.applyFailures(slot, b)
	x.replace(slot, &was)
}

// Unreached lists the nodes that are passed over for now, by id.
func (x *Index) Unreached() []identity.PeerID {
	return x.listed(func(r *record) bool { return r.reach == unreachable })
}

func (a failureHistory) missed(id identity.PeerID, now int64) {
	b := a[id]
	if b == nil {
		b = &failureRecord{at: now, length: quarantine}
	}
	b.missed(now)
	a.keep(id, b)
}
