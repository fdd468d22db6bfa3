package scheduler

import (
	"math"
	"slices"
	"time"

	"inos/internal/identity"
)

// How the index deals with nodes that fail. Each failure that was the node's own
// counts one; the count halves every blameHalfLife. The score is divided by one
// plus the count. At quarantineAt the node gets no job at all for quarantine, then
// one job at a time (a probe): a probe that goes well clears the node, one that
// fails sends it back for twice as long, up to maxQuarantine.
const (
	blameHalfLife = time.Minute
	quarantineAt  = 2.5 // three failures within some 15 s
	quarantine    = 10 * time.Second
	maxQuarantine = 5 * time.Minute
	forgiven      = 0.05 // a count below is none
)

// trust is how far a node may be used.
type trust uint8

const (
	trusted trust = iota
	probing
	quarantined
)

// blame is what is held against a node.
type blame struct {
	count  float64 // decays
	at     int64   // Unix nanoseconds of count
	until  int64   // end of the quarantine
	length time.Duration
}

func (b *blame) decay(now int64) {
	if now > b.at {
		b.count *= math.Exp2(-float64(now-b.at) / float64(blameHalfLife))
		b.at = now
	}
}

// Blame counts a failure of id that was its own, and not the job's.
func (x *Index) Blame(id identity.PeerID, now time.Time) {
	slot, ok := x.slots[id]
	if !ok {
		return
	}
	r := &x.nodes[slot]
	was := *r
	t := unixNano(now)
	b := x.blames[slot]
	if b == nil {
		b = &blame{at: t, length: quarantine}
		x.blames[slot] = b
	}
	b.decay(t)
	b.count++
	switch {
	case r.trust == quarantined: // a job from before; it changes nothing
	case r.trust == probing:
		b.length = min(2*b.length, maxQuarantine)
		fallthrough
	case b.count >= quarantineAt:
		r.trust = quarantined
		b.until = t + int64(b.length)
	}
	x.judge(slot, b)
	x.replace(slot, &was, true)
}

// Praise counts a job that id has done: a probe that went well clears the node.
func (x *Index) Praise(id identity.PeerID, now time.Time) {
	slot, ok := x.slots[id]
	if !ok || x.blames[slot] == nil {
		return
	}
	r := &x.nodes[slot]
	was := *r
	b := x.blames[slot]
	b.decay(unixNano(now))
	if b.count /= 2; r.trust == probing {
		b.count, r.trust = 0, trusted
	}
	x.judge(slot, b)
	x.replace(slot, &was, true)
}

// Reconsider ends the quarantines that are over and lets the counts decay. It
// reports whether a node came back. Call it every second or so.
func (x *Index) Reconsider(now time.Time) (back bool) {
	t := unixNano(now)
	for slot, b := range x.blames {
		r := &x.nodes[slot]
		was := *r
		b.decay(t)
		if r.trust == quarantined && b.until <= t {
			r.trust, back = probing, true
		}
		x.judge(slot, b)
		x.replace(slot, &was, true)
	}
	return back
}

// judge brings the record in line with b and drops b when it says nothing more. A
// node on probation keeps its count at 1 or more, so that it is not preferred.
func (x *Index) judge(slot int32, b *blame) {
	r := &x.nodes[slot]
	if r.trust != trusted {
		b.count = max(b.count, 1)
	} else if b.count < forgiven {
		b.count = 0
		delete(x.blames, slot)
	}
	r.failures = float32(b.count)
	x.rescore(slot)
}

// Quarantined lists the nodes that get no job for now, by id.
func (x *Index) Quarantined() []identity.PeerID {
	var out []identity.PeerID
	for slot := range x.blames {
		if x.nodes[slot].trust == quarantined {
			out = append(out, x.nodes[slot].id)
		}
	}
	slices.Sort(out)
	return out
}
