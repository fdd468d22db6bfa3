package kernel

import (
	"context"
	"slices"
	"time"

	"inos/internal/fault"
	"inos/internal/mesh"
)

// A job of another node has a slot from when its input and its capsule are here. Until then
// it is an arrival: it costs memory, of which there is a bound, and of that bound each origin
// has a share. So nobody keeps a slot by being slow.

// errMadeRoom ends an arrival in whose place another one has come.
var errMadeRoom = fault.Internal("kernel: others, who had less on its way here, came first")

// noFreeSlot is why a node with slots is busy.
const noFreeSlot = "no free slot"

// arrivalCost is what an arrival counts besides the bytes of its input.
const arrivalCost = 1 << 20

// arrival is a job of another node on its way here.
type arrival struct {
	job    *job
	origin string
	bytes  uint64
	pays   bool          // who sends it has paid before, or pays now
	slot   bool          // it has one
	got    chan struct{} // closed when it is given one; nil: it does not wait
}

// arrivals are those that are under way, in the order in which they came.
type arrivals struct {
	most, used uint64
	of         map[string]uint64 // by origin
	all        []*arrival
	line       []*arrival // that wait for a slot
	passed     int        // of the last slots went past who had waited for longest
}

// newArrivals has room for an input of the largest size for each slot, and no more than a quarter
// of the node's memory, so that capsules and compilations have theirs; if that is little, two such
// inputs and no more than half. memory 0 is without bound.
func newArrivals(slots int, memory uint64) arrivals {
	as := arrivals{most: uint64(max(slots, 4)) * mesh.MaxTransfer, of: make(map[string]uint64)}
	if memory > 0 {
		as.most = min(as.most, max(memory/4, 2*(mesh.MaxTransfer+arrivalCost)), memory/2)
	}
	return as
}

// origin of a call: the network that it comes from, or its node when that is not known.
func origin(call mesh.JobCall, from string) string {
	if call.Origin != "" {
		return call.Origin
	}
	return from
}

// add takes a in: an origin may have as much on its way as is free then. Those that have more
// make room, the oldest first.
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

// remove forgets a, if that has not been done.
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

// passedAtMost is how many slots in a row may go past who has waited for longest.
const passedAtMost = 3

// next is who gets the next slot: of those that have paid before or pay now the one that has
// waited for longest, but one slot in passedAtMost+1 goes to who has waited for longest of
// all, whoever it is. Somebody waits.
func (as *arrivals) next() *arrival {
	i := slices.IndexFunc(as.line, func(a *arrival) bool { return a.pays })
	if i <= 0 || as.passed == passedAtMost {
		as.passed = 0
		return as.line[0]
	}
	as.passed++
	return as.line[i]
}

// handOn gives free slots to those whose input and capsule are here.
func (s *state) handOn(now time.Time) {
	for len(s.arrivals.line) > 0 && s.nodes.TakeOwn(now) {
		a := s.arrivals.next()
		s.arrivals.remove(a)
		a.slot = true
		close(a.got)
	}
}

// slotFor takes a slot for an arrival that is complete. When there is none it waits for one,
// for as long as what came took to come: it would take that long elsewhere. pays says that
// its turn comes before those who have paid nothing yet.
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
