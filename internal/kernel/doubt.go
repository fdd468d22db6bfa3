package kernel

import (
	"errors"
	"slices"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// A node that fails a job may do so for the job's sake, and only another node's success
// tells. Until then there is doubt: a node that has failed, refused or sat on a job gets
// no more of the same ledger and capsule for a while (as for a refusal), as long as
// another one has a free slot for it, or, when it has no record, as long as another one
// is there at all. That is no mark on it. One that fails with
// failedWith different capsules, and does no job meanwhile, is blamed without anybody's
// word.
const (
	failedWith = 3
	// doubtAfter is how long a node must have had a job that it ran out of time with.
	doubtAfter = time.Second
)

// doubtful reports whether a hand-over that ended so may be its node's fault.
func doubtful(out mesh.JobOutcome, err error) bool {
	if errors.Is(err, matchmaker.ErrOutrun) || errors.Is(err, mesh.ErrUnsent) {
		return false
	}
	switch out.Code {
	case mesh.JobRejected, mesh.JobBadCapsule, mesh.JobUnknownCapsule, mesh.JobFailed, mesh.JobCrashed, mesh.JobInternal, mesh.JobCreditExhausted:
		return !errors.Is(err, matchmaker.ErrRepeat)
	}
	return ranOut(out, err) || errors.Is(err, mesh.ErrUnreachable)
}

// deedFor is what a node that fails so is remembered for.
func deedFor(out mesh.JobOutcome, err error) credit.Deed {
	if ranOut(out, err) {
		return credit.DeedLate
	}
	return credit.DeedFailed
}

// doubt notes that node has failed the job of slot.
func (s *state) doubt(id identity.PeerID, n *node, slot *placement, deed credit.Deed, now time.Time) {
	s.doubts.note(slot.kind, id, now.Sub(slot.at), now)
	if slices.Contains(n.failed, slot.capsule) {
		return
	}
	if n.failed = append(n.failed, slot.capsule); len(n.failed) >= failedWith {
		n.failed = nil
		s.index.RecordFailure(id, now)
		s.note(id, deed, now)
	}
}

// stranger reports whether a node has no record: it has never done a job for this node,
// as far as is remembered, or has failed more than it has done.
func (s *state) stranger(id identity.PeerID, n *node) bool {
	if n.answers.n > 0 {
		return false
	}
	return s.k.cfg.Reputation == nil || s.k.cfg.Reputation.Factor(id, time.Now()) <= 1
}

// allowed is how many jobs a node may have at a time for want of a record: one more than
// it has been seen to work on. 0: it has one.
func (s *state) allowed(id identity.PeerID, n *node) uint8 {
	if !s.stranger(id, n) {
		return 0
	}
	return n.working + 1
}

// works takes in that the node of this slot reports that it runs its job.
func (s *state) works(slot *placement, id identity.PeerID) {
	n := s.nodes[id]
	if !slot.stranger || slot.working || slot.returned || n == nil {
		return
	}
	slot.working = true
	n.working = min(n.working+1, maxWorking)
	s.index.SetStranger(id, s.allowed(id, n))
	s.k.matchmaker.Kick()
}

// maxWorking bounds node.working.
const maxWorking = 254

// preferred is req as far as the nodes without doubt, and without a record while money
// is out with a stranger, can meet it; false when it is no other than req.
func (s *state) preferred(w matchmaker.Waiting, req scheduler.Request, now time.Time) (scheduler.Request, bool) {
	doubted := s.doubts.of(w.Job.Admitted(), now)
	known := s.outWithStrangers(now) > 0
	if len(doubted) == 0 && !known {
		return req, false
	}
	req.Exclude = append(slices.Clone(req.Exclude), doubted...)
	req.Known = known
	return req, true
}

// outWithStrangers counts the attempts that strangers have, and those whose promise a
// stranger that was lost with one may still redeem.
func (s *state) outWithStrangers(now time.Time) int {
	s.lostOut = slices.DeleteFunc(s.lostOut, func(until time.Time) bool { return !now.Before(until) })
	return s.strangersOut + len(s.lostOut)
}

// backFrom takes in that the attempt of slot with a node that was a stranger is over.
func (s *state) backFrom(id identity.PeerID, slot *placement, err error, now time.Time) {
	if !slot.stranger {
		return
	}
	s.strangersOut--
	if n := s.nodes[id]; slot.working && n != nil && n.working > 0 {
		n.working--
		s.index.SetStranger(id, s.allowed(id, n))
	}
	if err != nil && !answered(err) && !errors.Is(err, mesh.ErrUnsent) && !errors.Is(err, mesh.ErrResult) && len(s.lostOut) < strangersAtMost {
		s.lostOut = append(s.lostOut, slot.until)
	}
}

// strangersAtMost bounds what is remembered of promises to strangers that were lost.
const strangersAtMost = 1024

// price is what nodes that have done jobs took, in microcredits a second: a moving average.
type price float64

func (p *price) add(of uint64) {
	if *p == 0 {
		*p = price(of)
		return
	}
	*p += (price(of) - *p) / 16
}

// strangerFloor is the price that a stranger counts with at least, as a share of what
// nodes that have done jobs took: who has shown nothing cannot buy the first place.
const strangerFloor = 0.5

// capped is the factor that takes a stranger's advantage by price beyond the floor away.
func (s *state) capped(cost uint64) float64 {
	floor := float64(s.price) * strangerFloor
	if own := float64(max(cost, scheduler.MinCreditCost)); own < floor {
		return own / floor
	}
	return 1
}
