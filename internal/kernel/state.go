package kernel

import (
	"time"

	"inos/internal/kernel/placement"
)

// state is everything the loop owns.
type state struct {
	k     *Kernel
	nodes *placement.Table
	// probes are the measurements under way; each channel is closed when its probe ends.
	probes map[*placement.Probe]chan struct{}
	jobs   jobTable
	runs   runTimes

	arrivals           arrivals
	volunteeringPaused bool // takes no jobs of other nodes
	// unwritable is why this node cannot write its books; nil: it can.
	unwritable error
	cooling    int // own slots that are free again from the next tick on
	done       uint64
	failed     uint64
}

// newState knows this node alone. Errors are the scheduler's.
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

// tick forgets what has expired, which is never chosen anyway, and frees the slots that had to
// wait.
func (s *state) tick(now time.Time) {
	for ; s.cooling > 0; s.cooling-- {
		s.returnSlot(now)
	}
	s.nodes.Tick(now)
}

// returnSlot gives one of this node's own slots back, and so to the next that waits for it.
func (s *state) returnSlot(now time.Time) {
	s.nodes.FreeOwn(now)
	s.handOn(now)
	s.k.matchmaker.Kick()
}
