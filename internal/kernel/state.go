package kernel

import (
	"time"

	"inos/internal/identity"
	"inos/internal/scheduler"
	"inos/internal/scheduler/vivaldi"
)

// state is everything the loop owns.
type state struct {
	k     *Kernel
	index *scheduler.Index
	nodes map[identity.PeerID]*node
	// vivaldi is this node's network coordinate.
	vivaldi *vivaldi.Node
	peers   map[identity.PeerID]bool // connected, whether or not their profile is known

	placements int // slots set aside and not given back
	jobs       jobTable
	refusals   refusals
	doubts     refusals // failures that nobody has contradicted, yet
	price      price
	// strangersOut counts the attempts that nodes without a record have; lostOut is until when
	// those may redeem their promises that were lost with one.
	strangersOut int
	lostOut      []time.Time
	runs         runTimes
	factors      map[identity.PeerID]float64 // of those that are no strangers; see trusting
	caps         map[identity.PeerID]float64 // of strangers; see trusting
	estimated    int                         // nodes known and never measured
	asked        []identity.PeerID           // of those that have never answered; the oldest first
	newest       *round                      // that such nodes were asked in
	inVain       int                         // rounds since somebody answered for the first time

	spawners map[string]identity.PeerID // of capsules that other nodes spawned

	arrivals arrivals
	free     int  // own slots
	resting  bool // no jobs of other nodes
	// unwritable is why this node cannot write its books; nil: it can.
	unwritable error
	cooling    int // own slots to be free from the next tick on
	serving    int // jobs that run here
	sequence   uint64
	done       uint64
	failed     uint64
}

// placement is a slot set aside for a job: a lease of another node, or an own slot. It is
// matchmaker.Placement.Slot. Its offer does not change once it has been
// chosen; the rest is the loop's.
type placement struct {
	own     bool
	lease   scheduler.Lease
	at      time.Time
	capsule string
	method  string
	offer   offer
	kind    kindOfJob

	stranger bool      // its node had no record
	working  bool      // and has reported that it runs the job
	until    time.Time // the end of its promise
	returned bool
}

// newState starts with this node alone. Errors are the scheduler's.
func newState(k *Kernel) (*state, error) {
	s := &state{
		k:        k,
		nodes:    make(map[identity.PeerID]*node),
		vivaldi:  newVivaldi(k.cfg.Self),
		peers:    make(map[identity.PeerID]bool),
		jobs:     newJobTable(),
		runs:     make(runTimes),
		factors:  make(map[identity.PeerID]float64),
		caps:     make(map[identity.PeerID]float64),
		spawners: make(map[string]identity.PeerID),
		free:     k.cfg.Slots,
		arrivals: newArrivals(k.cfg.Slots, k.cfg.Memory.Most()),
	}
	k.cfg.Scorer = trusting{k.cfg.Scorer, s.factors, s.caps}
	s.index = scheduler.New(scheduler.Config{Scorer: k.cfg.Scorer, MaxNodes: k.cfg.Nodes})
	return s, s.upsertSelf()
}

// tick forgets what has expired, though it is never chosen anyway, and frees the
// slots that had to wait.
func (s *state) tick(now time.Time) {
	for ; s.cooling > 0; s.cooling-- {
		s.returnSlot()
	}
	if s.index.Reconsider(now) { // a node is back from quarantine
		s.k.matchmaker.Kick()
	}
	s.weighAgain(now)
	s.askAgain(now)
	s.index.Sweep(now, func(id identity.PeerID) {
		s.lost(id)
		s.k.emit(NodeGone{At{now}, id})
	})
}

// takeSlot sets one of this node's own slots aside.
func (s *state) takeSlot() bool {
	if s.free == 0 {
		return false
	}
	s.free--
	s.serving++
	s.selfChanged()
	return true
}

// returnSlot gives one back to whoever waits for it.
func (s *state) returnSlot() {
	s.freeSlot()
	s.handOn()
	s.k.matchmaker.Kick()
}

func (s *state) freeSlot() {
	s.free++
	s.serving--
	s.selfChanged()
}

// selfChanged brings this node's own entry of the index up to date and has the
// new profile published.
func (s *state) selfChanged() {
	if err := s.upsertSelf(); err != nil {
		panic(err) // newState has inserted the same node once
	}
	select {
	case s.k.republish <- struct{}{}:
	default:
	}
}

func (s *state) upsertSelf() error {
	s.sequence++
	c := &s.k.cfg
	if c.Slots == 0 {
		return nil // not a candidate, ever
	}
	return s.index.Upsert(scheduler.Node{
		ID: c.Self, Capabilities: c.Capabilities, GeoHash: c.GeoHash,
		Latency: scheduler.MinLatency, CreditCost: c.CreditCost, FreeSlots: uint32(s.free),
		Expires: farFuture, Sequence: s.sequence,
	}, time.Now())
}

// farFuture is when this node's own entry expires.
var farFuture = time.Unix(1<<33, 0)
