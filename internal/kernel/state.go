package kernel

import (
	"time"

	"inos/internal/kernel/placement"
)

// state is everything the loop owns.
type state struct {
	k     *Kernel
	nodes *placement.Table
	// probes are the measurements under way; each channel is closed at the end of one.
	probes map[*placement.Probe]chan struct{}
	jobs   jobTable
	runs   runTimes

	arrivals           arrivals
	volunteeringPaused bool // no jobs of other nodes
	// unwritable is why this node cannot write its books; nil: it can.
	unwritable error
	cooling    int // own slots to be free from the next tick on
	done       uint64
	failed     uint64
}

// newState starts with this node alone. Errors are the scheduler's.
func newState(k *Kernel) (*state, error) {
	c := &k.cfg
	s := &state{
		k:        k,
		probes:   make(map[*placement.Probe]chan struct{}),
		jobs:     newJobTable(),
		runs:     make(runTimes),
		arrivals: newArrivals(c.Slots, c.Memory.Most()),
	}
	var err error
	s.nodes, err = placement.New(placement.Config{
		Self: c.Self, Owner: c.Owner, Capabilities: c.Capabilities, GeoHash: c.GeoHash, CreditCost: c.CreditCost, Slots: c.Slots,
		Scorer: c.Scorer, Reputation: c.Reputation, DefaultLatency: c.DefaultLatency, MaxNodes: c.Nodes, Explain: c.Explain,
		Now: c.Now, Effects: &effects{s},
	}, k.started)
	return s, err
}

// tick forgets what has expired, though it is never chosen anyway, and frees the
// slots that had to wait.
func (s *state) tick(now time.Time) {
	for ; s.cooling > 0; s.cooling-- {
		s.returnSlot(now)
	}
	s.nodes.Tick(now)
}

// returnSlot gives one of this node's own slots back to whoever waits for it.
func (s *state) returnSlot(now time.Time) {
	s.nodes.FreeOwn(now)
	s.handOn(now)
	s.k.matchmaker.Kick()
}
