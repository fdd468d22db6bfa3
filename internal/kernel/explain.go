package kernel

import (
	"context"
	"fmt"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/scheduler"
)

// Explain describes what Choose would do with job now, and why.
func (k *Kernel) Explain(ctx context.Context, job governance.Job) (scheduler.Explanation, error) {
	if job.ID == "" {
		job.ID = "explain"
	}
	var e scheduler.Explanation
	var err error
	if asked := k.loop.ask(ctx, func(s *state) {
		e, err = s.nodes.Explain(placement.RequestOf(job, nil), time.Now(), placement.TopCandidates)
	}); asked != nil {
		return e, asked
	}
	return e, err
}

// Decision returns the last decision about a job that was dispatched from here, and the node that
// it chose. For a job that still waits for its first decision it returns what would be decided now,
// and no node. The last jobs that ended are remembered. Errors match ErrNoJob or ErrStopped.
func (k *Kernel) Decision(ctx context.Context, jobID string) (d placement.Decision, node identity.PeerID, err error) {
	found := false
	if err := k.loop.ask(ctx, func(s *state) {
		j := s.jobs.get(jobID, "")
		if j == nil {
			d, node, found = s.jobs.past(jobID)
			return
		}
		found, node = true, j.info.Node
		var decided bool
		if d, decided = j.history.Decision(); !decided {
			d = s.nodes.Count(placement.RequestOf(j.admitted.Job(), nil), time.Now())
		}
	}); err != nil {
		return d, "", err
	}
	if !found {
		return d, "", fmt.Errorf("%w: %.60q", ErrNoJob, jobID)
	}
	return d, node, nil
}

// decideNow records what would be decided about j now as its last decision, and returns it.
func (s *state) decideNow(j *job, now time.Time) placement.Decision {
	j.history.Decide(s.nodes.Count(placement.RequestOf(j.admitted.Job(), nil), now))
	d, _ := j.history.Decision()
	return d
}
