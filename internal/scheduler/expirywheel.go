package scheduler

import (
	"math"
	"time"

	"inos/internal/identity"
)

// never is the bucket of a node that no bucket holds.
const never = math.MaxInt64

// expiryWheel finds expired nodes without a heap: it has one bucket for each second. A node whose
// expiry is postponed stays in its bucket and moves only when that bucket is swept, so that the
// usual renewal costs nothing.
type expiryWheel struct {
	buckets map[int64][]int32
	next    int64 // the first bucket that is not swept yet
}

func newExpiryWheel() expiryWheel {
	return expiryWheel{buckets: make(map[int64][]int32), next: math.MinInt64}
}

// bucketOf returns the first second at whose start the node has expired.
func bucketOf(expires int64) int64 { return expires/int64(time.Second) + 1 }

func (w *expiryWheel) schedule(d *detail, expires int64, slot int32) {
	if due := bucketOf(expires); due < d.due {
		d.due = max(due, w.next)
		w.buckets[d.due] = append(w.buckets[d.due], slot)
	}
}

// Sweep removes the nodes that have expired by now and passes each id to gone, which may be nil and
// must not change the index. Choose never returns an expired node, swept or not; sweeping spares it
// the work of skipping them. Call Sweep about once a second, with times that do not run backwards.
func (x *Index) Sweep(now time.Time, gone func(identity.PeerID)) {
	w := &x.expiry
	limit := x.line.Nanos(now) / int64(time.Second)
	if limit < w.next {
		return
	}
	if w.next == math.MinInt64 || limit-w.next > int64(len(w.buckets)) {
		for due := range w.buckets {
			if due <= limit {
				x.sweepBucket(due, now, gone)
			}
		}
	} else {
		for due := w.next; due <= limit; due++ {
			x.sweepBucket(due, now, gone)
		}
	}
	w.next = limit + 1
}

func (x *Index) sweepBucket(due int64, now time.Time, gone func(identity.PeerID)) {
	members := x.expiry.buckets[due]
	delete(x.expiry.buckets, due)
	for _, slot := range members {
		r, d := &x.nodes[slot], &x.details[slot]
		if d.due != due {
			continue // it has moved to an earlier bucket since
		}
		d.due = never
		switch {
		case r.id == "":
		case r.expires > x.line.Nanos(now):
			x.expiry.schedule(d, r.expires, slot)
		default:
			id := r.id
			x.Remove(id)
			if gone != nil {
				gone(id)
			}
		}
	}
}
