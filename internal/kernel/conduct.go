package kernel

import (
	"errors"
	"slices"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// ownFaults are failures that only the node can be to blame for. A crash or a timeout
// may be the job's fault, and a lost connection this side's: the node is blamed for it
// once another node has done the same job. So a poisonous job marks nobody, however
// often it is sent, and neither does a network that is down here.
var ownFaults = []error{mesh.ErrProtocol, mesh.ErrSignature, mesh.ErrResult}

// lostOnTheWay reports whether err says that the way to the node was lost: nothing got
// through, or no more of it.
func lostOnTheWay(err error) bool {
	if !errors.Is(err, mesh.ErrUnsent) {
		return errors.Is(err, mesh.ErrUnreachable)
	}
	// What this side could not write down, or gave up, says nothing of the way.
	return slices.ContainsFunc(noWay, func(sign error) bool { return errors.Is(err, sign) })
}

// noWay are the errors of a hand-over that began and came to nothing: nobody answers, or
// somebody else, or one that takes no jobs.
var noWay = []error{
	mesh.ErrUnreachable, mesh.ErrTimeout, mesh.ErrCertificate, mesh.ErrSignature, mesh.ErrAddress, mesh.ErrProtocol, matchmaker.ErrSilent,
}

// answered reports whether err is what the node itself has said.
func answered(err error) bool {
	var said *matchmaker.JobError
	return err == nil || errors.As(err, &said)
}

// conduct notes how a job went on p for the next choices.
func (s *state) conduct(p matchmaker.Placement, slot *placement, out mesh.JobOutcome, err error, now time.Time) {
	n := s.nodes[p.Node]
	switch {
	case err == nil && out.Code == mesh.JobOK:
		s.index.Observe(p.Node, out.Run)
		s.index.RecordSuccess(p.Node, now)
		s.doubts.forgive(slot.kind, p.Node)
		s.price.add(p.Price)
		if n != nil {
			n.failed = nil
			n.answers.add(now.Sub(slot.at))
			s.weigh(p.Node, now)
		}
	case errors.Is(err, mesh.ErrUnsent), errors.Is(err, mesh.ErrLossy):
	case slices.ContainsFunc(ownFaults, func(fault error) bool { return errors.Is(err, fault) }):
		s.index.RecordFailure(p.Node, now)
	case n != nil && doubtful(out, err) && (!ranOut(out, err) || now.Sub(slot.at) >= doubtAfter):
		s.doubt(p.Node, n, slot, deedFor(out, err), now)
	}
}

// ranOut reports whether the node had the job and not enough time for it.
func ranOut(out mesh.JobOutcome, err error) bool {
	return errors.Is(err, matchmaker.ErrSilent) || errors.Is(err, mesh.ErrTimeout) || out.Code == mesh.JobDeadline
}

// settleBlame is told how all attempts of a job that by has done went: what others
// said of it, or failed to do with it, is theirs to answer for.
func (s *state) settleBlame(kind kindOfJob, by identity.PeerID, attempts []matchmaker.Attempt, now time.Time) {
	s.refusals.forgive(kind, by)
	for _, a := range attempts {
		if a.Err != nil && !errors.Is(a.Err, matchmaker.ErrOutrun) {
			s.contradicted(kind, a.Node, a.Err, a.Took, a.Cost > 0, now)
		}
	}
}

// contradicted: node failed with err, after it had held the job up for a while, at one that
// another node has done; it was paid for its time if billed.
func (s *state) contradicted(kind kindOfJob, node identity.PeerID, err error, held time.Duration, billed bool, now time.Time) {
	var said *matchmaker.JobError
	late := errors.Is(err, matchmaker.ErrSilent) || errors.Is(err, mesh.ErrTimeout)
	lost := errors.Is(err, mesh.ErrUnreachable)
	if errors.Is(err, mesh.ErrUnsent) || !late && !lost && !errors.As(err, &said) {
		return
	}
	s.refusals.note(kind, node, held, now)
	switch {
	case errors.Is(err, mesh.ErrLossy): // it is passed over for a while, and not blamed
	case lost:
		s.index.RecordFailure(node, now)
		s.note(node, credit.DeedFailed, now)
	case late || said.Code == mesh.JobDeadline:
		s.index.RecordFailure(node, now)
		s.note(node, credit.DeedLate, now)
	case said.Code == mesh.JobInternal || said.Code == mesh.JobFailed:
		s.index.RecordFailure(node, now)
		s.note(node, credit.DeedFailed, now)
	case said.Code == mesh.JobCrashed, billed && said.Code != mesh.JobCreditExhausted:
		s.index.RecordFailure(node, now)
	}
}

// answerTimes are the last times from hand-over to answer of one node, or the last run
// times of one method.
type answerTimes struct {
	last [32]time.Duration // a ring
	n    int               // ever
}

// enoughAnswers is how many are needed to speak of a p95.
const enoughAnswers = 8

func (t *answerTimes) add(d time.Duration) {
	t.last[t.n%len(t.last)] = d
	t.n++
}

// longest is the longest of the last ones.
func (t *answerTimes) longest() time.Duration { return slices.Max(t.last[:]) }

// p95 is the time within which 95 % of the last answers came.
func (t *answerTimes) p95() (time.Duration, bool) {
	if t.n < enoughAnswers {
		return 0, false
	}
	sorted := slices.Clone(t.last[:min(t.n, len(t.last))])
	slices.Sort(sorted)
	return sorted[(len(sorted)*95+99)/100-1], true
}

// hedge says when a second copy of the job shall follow the one on p: after p's own
// p95. A job that came with a voucher has one to give, and so one copy.
func (k *Kernel) hedge(job matchmaker.Job, p matchmaker.Placement) (after time.Duration, ok bool) {
	a := job.Admitted()
	if p.Node == k.cfg.Self || a.Voucher() != nil || a.Job().Copies() > 1 {
		return 0, false
	}
	// Without a loop there is nothing to hedge.
	_ = k.loop.ask(k.life, func(s *state) {
		if n := s.nodes[p.Node]; n != nil {
			after, ok = n.answers.p95()
		}
	})
	return after, ok
}
