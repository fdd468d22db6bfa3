package kernel

import (
	"context"
	"fmt"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/scheduler"
)

// topCandidates is how many candidates a Decision names.
const topCandidates = 5

// Decision is one choice of the scheduler, as things were when it was made.
type Decision struct {
	// Explanation is whole when Counted; otherwise Considered, Top and Why are all that
	// is known of it.
	scheduler.Explanation
	// Counted: every node was looked at for it. A choice among more nodes than
	// Config.Explain does not do that, since it takes longer than the choice; whoever
	// gets no node is told all the same.
	Counted bool
	Latency time.Duration // that the winner was scored with
	Took    time.Duration // the choice and its description
	Looked  bool          // the directory was asked, since no known node would do
}

// describe is the Decision about req, of which best, if it is known, are the best
// nodes.
func (s *state) describe(req scheduler.Request, best []scheduler.Choice, now time.Time) (d Decision) {
	if s.index.Len() <= s.k.cfg.Explain {
		return s.explain(req, now)
	}
	if best == nil {
		best = s.best(req, now, make([]scheduler.Choice, topCandidates))
	}
	best = best[:min(len(best), topCandidates)]
	d.Considered = s.index.Len()
	d.Top = make([]scheduler.Candidate, len(best))
	for i, c := range best {
		d.Top[i] = scheduler.Candidate{Node: c.Node, Score: c.Score, Parts: s.index.Parts(c.Node)}
	}
	switch {
	case len(best) == 0:
	case len(best) == 1:
		d.Why = "only candidate"
	case best[0].Score == best[1].Score:
		d.Why = "tie broken by hash of job and node"
	default:
		d.Why = "highest score"
	}
	return d
}

// explain looks at every node.
func (s *state) explain(req scheduler.Request, now time.Time) (d Decision) {
	// A bad request is refused by the choice; there is nothing to explain then.
	d.Explanation, _ = s.index.Explain(req, now, topCandidates)
	d.Counted = true
	return d
}

// decide keeps d as the last decision about j.
func (j *job) decide(d Decision) {
	d.Looked = j.asked
	j.decision, j.decided = d, true
}

// Explain says what Choose would do with job now, and why.
func (k *Kernel) Explain(ctx context.Context, job governance.Job) (scheduler.Explanation, error) {
	if job.ID == "" {
		job.ID = "explain"
	}
	var e scheduler.Explanation
	var err error
	if asked := k.loop.ask(ctx, func(s *state) {
		e, err = s.index.Explain(requestOf(job, nil), time.Now(), topCandidates)
	}); asked != nil {
		return e, asked
	}
	return e, err
}

// Decision is the last decision about a job that was dispatched from here, and the
// node that it is about; for a job that still waits for its first, what would be
// decided now, and no node. The last jobs that ended are remembered. Errors match
// ErrNoJob or ErrStopped.
func (k *Kernel) Decision(ctx context.Context, jobID string) (d Decision, node identity.PeerID, err error) {
	found := false
	if err := k.loop.ask(ctx, func(s *state) {
		if j := s.jobs.get(jobID, ""); j != nil {
			found = true
			if d, node = j.decision, j.info.Node; !j.decided {
				d = s.explain(requestOf(j.admitted.Job(), nil), time.Now())
			}
			return
		}
		d, node, found = s.jobs.past(jobID)
	}); err != nil {
		return d, "", err
	}
	if !found {
		return d, "", fmt.Errorf("%w: %.60q", ErrNoJob, jobID)
	}
	return d, node, nil
}
