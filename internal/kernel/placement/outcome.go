package placement

import (
	"errors"
	"slices"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

const (
	// failedKinds is the number of capsules that a node must fail with, without doing a job
	// meanwhile, before that counts against it although no other node has done one of those jobs.
	failedKinds = 3
	// suspectAfter is the least time that a node must have had a job before its running out of time
	// counts.
	suspectAfter = time.Second
)

// ownFaults are failures that can only be the node's fault. A crash or a timeout may be the job's
// fault, and a lost connection this side's: they count against the node once another node has done
// the same job. So a poisonous job harms no node's record, however often it is sent, and neither
// does a network that is down here.
var ownFaults = []error{mesh.ErrProtocol, mesh.ErrSignature, mesh.ErrResult}

// noWay are the errors of a hand-over that began and failed: no node answers, or another node, or
// one that takes no jobs.
var noWay = []error{
	mesh.ErrUnreachable, mesh.ErrTimeout, mesh.ErrCertificate, mesh.ErrSignature, mesh.ErrAddress, mesh.ErrProtocol, matchmaker.ErrSilent,
}

func isAny(err error, of []error) bool {
	return slices.ContainsFunc(of, func(one error) bool { return errors.Is(err, one) })
}

// lostOnTheWay reports whether err says that the path to the node was lost: nothing got through, or
// nothing more.
func lostOnTheWay(err error) bool {
	if !errors.Is(err, mesh.ErrUnsent) {
		return errors.Is(err, mesh.ErrUnreachable)
	}
	// A failed write of this side, or its giving up, says nothing of the path.
	return isAny(err, noWay)
}

// answered reports whether err is the node's own answer.
func answered(err error) bool {
	var said *matchmaker.JobError
	return err == nil || errors.As(err, &said)
}

// ranOut reports whether the node had the job but not enough time for it.
func ranOut(out mesh.JobOutcome, err error) bool {
	return errors.Is(err, matchmaker.ErrSilent) || errors.Is(err, mesh.ErrTimeout) || out.Code == mesh.JobDeadline
}

// interrupted reports whether a hand-over that ended so shows that its node has stopped.
func interrupted(out mesh.JobOutcome, err error) bool {
	return lostOnTheWay(err) || ranOut(out, err) || out.Code == mesh.JobInternal || out.Code == mesh.JobCancelled
}

// mayBeNodes reports whether a hand-over that ended so may be its node's fault.
func mayBeNodes(out mesh.JobOutcome, err error) bool {
	if errors.Is(err, matchmaker.ErrOutrun) || errors.Is(err, mesh.ErrUnsent) {
		return false
	}
	switch out.Code {
	case mesh.JobRejected, mesh.JobBadCapsule, mesh.JobUnknownCapsule, mesh.JobFailed, mesh.JobCrashed, mesh.JobInternal, mesh.JobCreditExhausted:
		return !errors.Is(err, matchmaker.ErrRepeat)
	}
	return ranOut(out, err) || errors.Is(err, mesh.ErrUnreachable)
}

// DeedOf is what a node did with a job, as far as the outcome alone shows it; false when it does
// not. A failure of the capsule, and the caller's giving up, say nothing about the node. A timeout
// and an internal failure count once another node has done the job (Contradicted).
func DeedOf(out mesh.JobOutcome, err error, givenUp bool) (d credit.Deed, ok bool) {
	switch {
	case errors.Is(err, mesh.ErrResult):
		return credit.DeedDisagree, true
	case err == nil:
		return credit.DeedDone, out.Code == mesh.JobOK && !givenUp
	case errors.Is(err, mesh.ErrUnsent):
		return 0, false
	case errors.Is(err, mesh.ErrProtocol):
		return credit.DeedFailed, !givenUp
	}
	return 0, false
}

// Done takes back the slot of p and takes in the outcome there. A node that answered that it is
// busy counts as full. One that could not be reached counts a miss and is passed over for a while.
// An own slot is still counted as occupied: FreeOwn gives it back.
func (t *Table) Done(p matchmaker.Placement, out mesh.JobOutcome, err error, now time.Time) {
	slot := t.takeBack(p)
	if slot.Own {
		return
	}
	t.index.Release(slot.lease)
	t.strangerDone(p.Node, slot, err, now)
	t.record(p, slot, out, err, now)
	switch {
	case lostOnTheWay(err):
		t.index.Unreachable(p.Node, now)
		if !errors.Is(err, mesh.ErrLossy) {
			t.Missed(p.Node, now)
		}
	case out.Code == mesh.JobBusy:
		t.index.Full(p.Node, now)
	}
	if answered(err) {
		t.index.Reached(p.Node)
	}
	if n := t.nodes[p.Node]; n != nil && interrupted(out, err) {
		n.steady = now
	}
	t.cfg.Effects.Kick()
}

// record records the outcome on p for the next choices.
func (t *Table) record(p matchmaker.Placement, slot *Slot, out mesh.JobOutcome, err error, now time.Time) {
	n := t.nodes[p.Node]
	switch {
	case err == nil && out.Code == mesh.JobOK:
		t.recordSuccess(p, n, slot, out, now)
	case errors.Is(err, mesh.ErrUnsent), errors.Is(err, mesh.ErrLossy):
	case isAny(err, ownFaults):
		t.index.RecordFailure(p.Node, now)
	case n != nil && mayBeNodes(out, err) && (!ranOut(out, err) || now.Sub(slot.At) >= suspectAfter):
		t.suspectFailure(p.Node, n, slot, ranOut(out, err), now)
	}
}

func (t *Table) recordSuccess(p matchmaker.Placement, n *node, slot *Slot, out mesh.JobOutcome, now time.Time) {
	t.index.Observe(p.Node, out.Run)
	t.index.RecordSuccess(p.Node, now)
	t.suspect.remove(slot.kind, p.Node)
	t.price.add(p.Price)
	if n != nil {
		n.failed = nil
		n.answers.Add(now.Sub(slot.At))
		t.weigh(p.Node, now)
	}
}

// suspectFailure suspends a node that has failed the job of slot. Only another node's success tells
// whose fault that was: it counts against the node once it has failed with failedKinds capsules.
func (t *Table) suspectFailure(id identity.PeerID, n *node, slot *Slot, late bool, now time.Time) {
	t.suspect.add(slot.kind, id, now.Sub(slot.At), now)
	if slices.Contains(n.failed, slot.Capsule) {
		return
	}
	if n.failed = append(n.failed, slot.Capsule); len(n.failed) >= failedKinds {
		n.failed = nil
		t.recordFailure(id, late, now)
	}
}

// recordFailure counts a failure that is the node's own, in the index and, across restarts, in its
// reputation.
func (t *Table) recordFailure(id identity.PeerID, late bool, now time.Time) {
	deed := credit.DeedFailed
	if late {
		deed = credit.DeedLate
	}
	t.index.RecordFailure(id, now)
	t.Record(id, deed, now)
}

// JobDone takes in that node has done a job of this kind. attempts are all attempts at it: the
// other nodes answer for what they said of the job, or failed to do.
func (t *Table) JobDone(kind Kind, node identity.PeerID, attempts []matchmaker.Attempt, now time.Time) {
	t.refused.remove(kind, node)
	for _, a := range attempts {
		if a.Err != nil && !errors.Is(a.Err, matchmaker.ErrOutrun) {
			t.Contradicted(kind, a.Node, a.Err, a.Took, a.Cost > 0, now)
		}
	}
}

// Contradicted takes in that node failed with err at a job of this kind that another node has done,
// after it had delayed the job by held. billed: it was paid for its time.
func (t *Table) Contradicted(kind Kind, node identity.PeerID, err error, held time.Duration, billed bool, now time.Time) {
	var said *matchmaker.JobError
	late := errors.Is(err, matchmaker.ErrSilent) || errors.Is(err, mesh.ErrTimeout)
	lost := errors.Is(err, mesh.ErrUnreachable)
	if errors.Is(err, mesh.ErrUnsent) || !late && !lost && !errors.As(err, &said) {
		return
	}
	t.refused.add(kind, node, held, now)
	switch {
	case errors.Is(err, mesh.ErrLossy): // the node is passed over for a while, and that is all
	case lost:
		t.recordFailure(node, false, now)
	case late || said.Code == mesh.JobDeadline:
		t.recordFailure(node, true, now)
	case said.Code == mesh.JobInternal || said.Code == mesh.JobFailed:
		t.recordFailure(node, false, now)
	case said.Code == mesh.JobCrashed, billed && said.Code != mesh.JobCreditExhausted:
		t.index.RecordFailure(node, now)
	}
}
