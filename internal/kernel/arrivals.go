package kernel

import (
	"context"
	"slices"
	"time"

	"inos/internal/fault"
	"inos/internal/mesh"
)

// A job of another node gets a slot only when its input and its capsule are here. Until then it is
// an arrival: it takes memory, which is bounded, and each origin has a share of that bound. So no
// node can occupy a slot by sending slowly.

// errMadeRoom ends an arrival that made room for one whose origin had less on its way here.
var errMadeRoom = fault.Internal("kernel: others, who had less on its way here, came first")

// noFreeSlot is the reason that a busy node with slots gives.
const noFreeSlot = "no free slot"

// arrivalCost is the memory in bytes that an arrival counts for besides its input.
const arrivalCost = 1 << 20

// arrival is a job of another node on its way here.
type arrival struct {
	job    *job
	origin string
	bytes  uint64
	pays   bool          // the sender has paid before, or pays now
	slot   bool          // a slot is taken for it
	got    chan struct{} // closed when a slot is given to it; nil: it does not wait
}

// arrivals are the jobs on their way here, in the order in which they came.
type arrivals struct {
	most, used uint64
	of         map[string]uint64 // by origin
	all        []*arrival
	line       []*arrival // those that wait for a slot
	passed     int        // how many slots in a row were given past the one that has waited longest
}

// newArrivals bounds the arrivals' memory by an input of the largest size for each slot, and by a
// quarter of the node's memory, which leaves the rest to capsules and compilations. The bound is
// two such inputs at least, unless that is more than half of the memory. memory is in bytes; 0 is
// without bound.
// inputs and no more than half. memory 0 is without bound.
func newArrivals(slots int, memory uint64) arrivals {
	as := arrivals{most: uint64(max(slots, 4)) * mesh.MaxTransfer, of: make(map[string]uint64)}
	if memory > 0 {
		as.most = min(as.most, max(memory/4, 2*(mesh.MaxTransfer+arrivalCost)), memory/2)
	}
	return as
}

// origin is the network that a call comes from, or its node when the network is not known.
func origin(call mesh.JobCall, from string) string {
	if call.Origin != "" {
		return call.Origin
	}
	return from
}

// add takes a in. An origin may have as much on its way as is free then. Arrivals of origins that
// have more make room, the oldest first.
func (as *arrivals) add(a *arrival) bool {
	for as.used+a.bytes > as.most || as.of[a.origin]+a.bytes > as.most-as.used-a.bytes {
		var worst *arrival
		for _, b := range as.all {
			if !b.slot && (worst == nil || as.of[b.origin] > as.of[worst.origin]) {
				worst = b
			}
		}
		if worst == nil || as.of[worst.origin] <= as.of[a.origin]+a.bytes {
			return false
		}
		as.remove(worst)
		worst.job.cancel(errMadeRoom)
	}
	as.used += a.bytes
	as.of[a.origin] += a.bytes
	as.all = append(as.all, a)
	return true
}

// remove forgets a; a second call does nothing.
func (as *arrivals) remove(a *arrival) {
	for i, b := range as.all {
		if b == a {
			as.all = append(as.all[:i], as.all[i+1:]...)
			as.used -= a.bytes
			if as.of[a.origin] -= a.bytes; as.of[a.origin] == 0 {
				delete(as.of, a.origin)
			}
		}
	}
	for i, b := range as.line {
		if b == a {
			as.line = append(as.line[:i], as.line[i+1:]...)
		}
	}
}

// passedAtMost is how many slots in a row may be given past the arrival that has waited longest.
const passedAtMost = 3

// next returns the arrival that gets the next slot: the one that has waited longest of those whose
// sender has paid before or pays now. One slot in passedAtMost+1 goes to the one that has waited
// longest of all. At least one must wait.
func (as *arrivals) next() *arrival {
	i := slices.IndexFunc(as.line, func(a *arrival) bool { return a.pays })
	if i <= 0 || as.passed == passedAtMost {
		as.passed = 0
		return as.line[0]
	}
	as.passed++
	return as.line[i]
}

// handOn gives free slots to arrivals whose input and capsule are here.
func (s *state) handOn(now time.Time) {
	for len(s.arrivals.line) > 0 && s.nodes.TakeOwn(now) {
		a := s.arrivals.next()
		s.arrivals.remove(a)
		a.slot = true
		close(a.got)
	}
}

// slotFor takes a slot for an arrival that is complete. When none is free, it waits for as long as
// the transfer took, since a transfer to another node would take as long. pays gives it precedence
// over senders that have paid nothing yet.
func (k *Kernel) slotFor(ctx context.Context, a *arrival, pays bool, took time.Duration) error {
	if err := k.loop.ask(ctx, func(s *state) {
		a.pays = pays
		if a.slot = s.nodes.TakeOwn(time.Now()); a.slot {
			s.arrivals.remove(a)
			return
		}
		a.got = make(chan struct{})
		s.arrivals.line = append(s.arrivals.line, a)
	}); err != nil || a.got == nil {
		return err
	}
	t := time.NewTimer(took)
	defer t.Stop()
	select {
	case <-a.got:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return errNoSlot
	}
}

var errNoSlot = fault.Internal("kernel: " + noFreeSlot)
