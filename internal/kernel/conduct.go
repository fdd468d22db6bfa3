package kernel

import (
	"errors"
	"slices"
	"time"

	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// ownFaults are failures that only the node can be to blame for. A crash or a
// timeout may be the job's fault: the node is blamed for it once another node has
// done the same job. So a poisonous job marks nobody, however often it is sent.
var ownFaults = []error{mesh.ErrUnreachable, mesh.ErrProtocol, mesh.ErrSignature, ErrResult}

// conduct notes how a job went on p for the next choices.
func (s *state) conduct(p matchmaker.Placement, slot placement, out mesh.JobOutcome, err error, now time.Time) {
	if err == nil && out.Code == mesh.JobOK {
		s.index.Observe(p.Node, out.Run)
		s.index.Praise(p.Node, now)
		if n := s.nodes[p.Node]; n != nil {
			n.answers.add(now.Sub(slot.at))
		}
		return
	}
	if slices.ContainsFunc(ownFaults, func(fault error) bool { return errors.Is(err, fault) }) {
		s.index.Blame(p.Node, now)
	}
}

// settleBlame is told how all attempts of a job went: where one node has done it,
// those that crashed or ran out of time on it are to blame.
func (s *state) settleBlame(attempts []matchmaker.Attempt, now time.Time) {
	for _, a := range attempts {
		var job *matchmaker.JobError
		switch {
		case a.Err == nil || errors.Is(a.Err, matchmaker.ErrOutrun):
		case errors.Is(a.Err, mesh.ErrTimeout),
			errors.As(a.Err, &job) && (job.Code == mesh.JobCrashed || job.Code == mesh.JobInternal):
			s.index.Blame(a.Node, now)
		}
	}
}

// answerTimes are the last times from hand-over to answer of one node.
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
func (k *Kernel) hedge(a governance.Admitted, p matchmaker.Placement) (after time.Duration, ok bool) {
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
