package scheduler

import (
	"math"
	"slices"
	"time"

	"inos/internal/identity"
)

// How the index treats nodes that fail. Each failure that was the node's own counts one, and the
// count halves every failureHalfLife. The score is divided by one plus the count. At quarantineAt the
// node gets no job for the time of the quarantine, then one job at a time (a probe). A probe that
// succeeds clears the node; one that fails quarantines it for twice as long, up to maxQuarantine.
// fails sends it back for twice as long, up to maxQuarantine.
const (
	failureHalfLife = time.Minute
	quarantineAt    = 2.5 // three failures within some 15 s
	quarantine      = 10 * time.Second
	maxQuarantine   = 5 * time.Minute
	forgiven        = 0.05 // a lower count is taken as none
)

// trust says whether a node's failures let it have jobs.
type trust uint8

const (
	trusted trust = iota
	probing
	quarantined
)

// failureRecord is the failures of one node and whether jobs reach it.
type failureRecord struct {
	trust  trust
	count  float64 // decays
	at     int64   // Unix nanoseconds of count
	until  int64   // the end of the quarantine
	length time.Duration

	reach reach
	back  int64         // the end of the time without jobs while the node is unreachable
	pause time.Duration // the length of the last such time
}

// nothing reports whether b holds no failures and the node is reachable, so that b may be dropped.
func (b *failureRecord) nothing() bool {
	return b.trust == trusted && b.count < forgiven && b.reach == reachable
}

func (b *failureRecord) decay(now int64) {
	if now > b.at {
		b.count *= math.Exp2(-float64(now-b.at) / float64(failureHalfLife))
		b.at = now
	}
}

// failed counts a failure.
func (b *failureRecord) failed(now int64) {
	b.decay(now)
	b.count++
	switch {
	case b.trust == quarantined: // a job from before; it changes nothing
	case b.trust == probing:
		b.length = min(2*b.length, maxQuarantine)
		fallthrough
	case b.count >= quarantineAt:
		b.trust = quarantined
		b.until = now + int64(b.length)
	}
}

// passed counts a job that succeeded.
func (b *failureRecord) passed(now int64) {
	b.decay(now)
	if b.count /= 2; b.trust == probing {
		b.count, b.trust = 0, trusted
	}
}

// pass advances b to now and reports whether that ended a quarantine.
func (b *failureRecord) pass(now int64) (back bool) {
	b.decay(now)
	if back = b.trust == quarantined && b.until <= now; back {
		b.trust = probing
	}
	return back
}

// RecordFailure counts a failure that was id's own and not the job's. The failure history keeps it
// for a node that is not in the index.
func (x *Index) RecordFailure(id identity.PeerID, now time.Time) {
	t := x.line.Nanos(now)
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		x.history.recordFailure(id, t)
		return
	}
	x.amend(slot, x.failuresOf(slot, t), func(b *failureRecord) { b.failed(t) })
}

// RecordSuccess counts a job that id has done. A probe that succeeded clears the node, and an
// unproven node becomes proven.
func (x *Index) RecordSuccess(id identity.PeerID, now time.Time) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		if b := x.history[id]; b != nil {
			b.passed(x.line.Nanos(now))
		}
		return
	}
	x.SetStranger(id, 0)
	b := x.failures[slot]
	if b == nil {
		return
	}
	x.amend(slot, b, func(b *failureRecord) {
		b.passed(x.line.Nanos(now))
		b.reached()
	})
}

// Reconsider ends the quarantines whose time is over, readmits nodes that were unreachable for long
// enough and lets the counts decay. It reports whether a node came back. Call it about once a
// second.
func (x *Index) Reconsider(now time.Time) (back bool) {
	t := x.line.Nanos(now)
	for slot, b := range x.failures {
		x.amend(slot, b, func(b *failureRecord) {
			back = b.pass(t) || back
			back = b.returned(t) || back
		})
	}
	x.history.reconsider(t)
	x.tombstones.reconsider(t)
	return back
}

// applyFailures updates the node's record from b and drops b when it holds nothing. A node on
// probation keeps a count of at least 1, so that it is not preferred.
func (x *Index) applyFailures(slot int32, b *failureRecord) {
	r := &x.nodes[slot]
	if r.trust = b.trust; r.trust != trusted {
		b.count = max(b.count, 1)
	} else if b.count < forgiven {
		b.count = 0
	}
	if b.nothing() {
		delete(x.failures, slot)
	}
	r.reach, r.failures = b.reach, float32(b.count)
	x.rescore(slot)
}

// Quarantined lists the nodes in quarantine, by id.
func (x *Index) Quarantined() []identity.PeerID {
	return x.listed(func(r *record) bool { return r.trust == quarantined })
}

// listed returns the nodes that have a failure record and that match, by id.
func (x *Index) listed(match func(*record) bool) (out []identity.PeerID) {
	for slot := range x.failures {
		if match(&x.nodes[slot]) {
			out = append(out, x.nodes[slot].id)
		}
	}
	slices.Sort(out)
	return out
}
