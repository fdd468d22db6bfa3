package scheduler

import (
	"time"

	"inos/internal/identity"
)

// How the index treats nodes that do not answer. A job that could not be sent proves nothing
// against a node, and this side may be the cause, so it costs the node no score. The node gets no
// job for firstPass, twice as long each time, up to longestPass. Then it gets one job at a time
// until one has reached it.
const (
	firstPass   = time.Second
	longestPass = 30 * time.Second
)

// reach says whether jobs get through to a node, as far as this side knows.
type reach uint8

const (
	reachable   reach = iota
	doubtful          // no job has got through since it was last unreachable: one job at a time
	unreachable       // gets no job for now
)

// missed makes a node unreachable from now on.
func (b *failureRecord) missed(now int64) {
	if b.reach == unreachable {
		return // a job sent before; it changes nothing
	}
	b.pause = min(max(2*b.pause, firstPass), longestPass)
	b.reach, b.back = unreachable, now+int64(b.pause)
}

// returned reports whether the time without jobs is over at now, and ends it.
func (b *failureRecord) returned(now int64) bool {
	if b.reach != unreachable || b.back > now {
		return false
	}
	b.reach = doubtful
	return true
}

// reached clears the state: something has got through.
func (b *failureRecord) reached() { b.reach, b.pause, b.back = reachable, 0, 0 }

// Unreachable records that nothing could be sent to id, which gets no job for a while.
func (x *Index) Unreachable(id identity.PeerID, now time.Time) {
	t := x.line.Nanos(now)
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		x.history.missed(id, t)
		return
	}
	x.amend(slot, x.failuresOf(slot, t), func(b *failureRecord) { b.missed(t) })
}

// Reached records that id has answered, which makes it a candidate again. back reports whether it
// was not one.
func (x *Index) Reached(id identity.PeerID) (back bool) {
	return x.reachAgain(id, func(b *failureRecord) { b.reached() })
}

// MayBeReached records that there is a new way to id that nobody has tried yet. id gets one job
// now. When that job cannot be sent, id gets none for longer than the last time.
func (x *Index) MayBeReached(id identity.PeerID) (back bool) {
	return x.reachAgain(id, func(b *failureRecord) { b.returned(b.back) })
}

// reachAgain applies change and reports whether that made id a candidate again.
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

// failuresOf returns the failure record of the node in slot, and makes one when there is none.
func (x *Index) failuresOf(slot int32, now int64) *failureRecord {
	b := x.failures[slot]
	if b == nil {
		b = &failureRecord{at: now, length: quarantine}
		x.failures[slot] = b
	}
	return b
}

// amend changes the failure record of the node in slot.
func (x *Index) amend(slot int32, b *failureRecord, change func(*failureRecord)) {
	was := x.standing(slot)
	change(b)
	x.applyFailures(slot, b)
	x.replace(slot, &was)
}

// Unreached lists the unreachable nodes, by id.
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
