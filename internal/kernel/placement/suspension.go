package placement

import (
	"slices"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/order"
)

// A suspended node gets no jobs of one kind. A suspension lasts for firstSuspension at first, or
// heldFactor times as long as the node delayed a job where that is longer; then for twice as long
// each time, and maxSuspension at most. A node that refuses a job for its policy, its credit line
// or its capsule runtime will refuse such a job again, and that says nothing of other jobs.
const (
	firstSuspension = 10 * time.Second
	maxSuspension   = 5 * time.Minute
	heldFactor      = 10
	// maxSuspensions bounds the suspensions; past it those that end first are dropped.
	maxSuspensions = 4096
)

// Kind of a job: a node that refuses one job of a kind is likely to refuse all of them.
type Kind struct {
	ledger  identity.LedgerID
	capsule string
}

// KindOf is the kind of a.
func KindOf(a governance.Admitted) Kind { return Kind{a.Ledger(), a.Job().Capsule} }

type suspension struct {
	until  time.Time
	length time.Duration
}

// suspensions are the suspended nodes, by kind. The zero value is none.
type suspensions struct {
	by    map[Kind]map[identity.PeerID]suspension
	count int
}

// add suspends node, which has delayed a job of that kind by held.
func (s *suspensions) add(kind Kind, node identity.PeerID, held time.Duration, now time.Time) {
	if s.by == nil {
		s.by = make(map[Kind]map[identity.PeerID]suspension)
	}
	if s.count >= maxSuspensions {
		s.dropHalf()
	}
	if s.by[kind] == nil {
		s.by[kind] = make(map[identity.PeerID]suspension)
	}
	old, again := s.by[kind][node]
	if !again {
		s.count++
	}
	length := min(max(2*old.length, firstSuspension, heldFactor*held), maxSuspension)
	s.by[kind][node] = suspension{now.Add(length), length}
}

// remove forgets node's suspension and its length.
func (s *suspensions) remove(kind Kind, node identity.PeerID) {
	if _, ok := s.by[kind][node]; !ok {
		return
	}
	s.count--
	delete(s.by[kind], node)
	if len(s.by[kind]) == 0 {
		delete(s.by, kind)
	}
}

// of lists the nodes that get no jobs of a's kind now.
func (s *suspensions) of(a governance.Admitted, now time.Time) []identity.PeerID {
	if s.count == 0 {
		return nil
	}
	var out []identity.PeerID
	for id, x := range s.by[KindOf(a)] {
		if now.Before(x.until) {
			out = append(out, id)
		}
	}
	slices.Sort(out) // jobs of a kind exclude the same nodes, in the same order
	return out
}

// dropHalf drops the half that ends first.
func (s *suspensions) dropHalf() {
	var ends []time.Time
	for _, nodes := range s.by {
		for _, x := range nodes {
			ends = append(ends, x.until)
		}
	}
	order.By(ends, time.Time.Compare)
	half := ends[len(ends)/2]
	for kind, nodes := range s.by {
		for id, x := range nodes {
			if !x.until.After(half) {
				s.remove(kind, id)
			}
		}
	}
}
