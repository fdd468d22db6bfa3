package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// topCandidates is how many candidates a Decision names.
const topCandidates = 5

// chooser is the scheduler as the matchmaker sees it.
type chooser struct{ k *Kernel }

// Choose picks the best known node; when none would do, it asks the directory
// for nodes with the job's capabilities first.
func (c chooser) Choose(ctx context.Context, a governance.Admitted, attempt int, exclude []identity.PeerID) (matchmaker.Placement, error) {
	k, job := c.k, a.Job()
	if job.Copies() > 1 {
		b, err := k.ballot(ctx, job.ID)
		if err != nil {
			return matchmaker.Placement{}, err
		}
		return b.place(ctx)
	}
	req := requestOf(job, exclude)
	_, chosen := span(ctx, "choose")
	p, err := k.place(ctx, req, attempt, false)
	if errors.Is(err, scheduler.ErrNoCandidate) && k.discover(ctx, job.Requirements.Capabilities) {
		p, err = k.place(ctx, req, attempt, true)
	}
	if err == nil {
		chosen("") // a search that found all busy is waiting, not a choice
	}
	if errors.Is(err, scheduler.ErrBusy) {
		return p, fmt.Errorf("%w: %w", matchmaker.ErrBusy, err)
	}
	return p, err
}

// ballot finds the job's entry in the table.
func (k *Kernel) ballot(ctx context.Context, jobID string) (b *ballot, err error) {
	if asked := k.loop.ask(ctx, func(s *state) {
		if j := s.jobs.get(jobID, ""); j != nil {
			b = j.ballot
		}
	}); asked != nil {
		return nil, asked
	}
	if b == nil {
		return nil, fmt.Errorf("%w: job %s is not in the table", ErrStopped, jobID)
	}
	return b, nil
}

// place lets the loop choose and set the slot aside.
func (k *Kernel) place(ctx context.Context, req scheduler.Request, attempt int, looked bool) (p matchmaker.Placement, err error) {
	asked := k.loop.ask(ctx, func(s *state) { p, err = s.place(req, attempt, looked) })
	if asked != nil {
		return p, asked
	}
	return p, err
}

func (s *state) place(req scheduler.Request, attempt int, looked bool) (matchmaker.Placement, error) {
	now := time.Now()
	j := s.jobs.get(req.JobID, "")
	c, err := s.index.Choose(req, now)
	took := time.Since(now)
	if j != nil {
		j.decision = s.decide(req, c, now)
		j.decision.Took, j.decision.Looked = took, looked
	}
	if err != nil {
		return matchmaker.Placement{}, err
	}
	return s.setAside(req.JobID, c, attempt, nil, now), nil
}

// setAside takes the slot of a choice. decision is nil when the job's table entry
// has it already.
func (s *state) setAside(jobID string, c scheduler.Choice, attempt int, decision *Decision, now time.Time) matchmaker.Placement {
	id := c.Node.ID
	slot := placement{at: now}
	if id == s.k.cfg.Self {
		slot.own = s.takeSlot()
	} else {
		slot.lease, _ = s.index.Acquire(id, now) // Choose has found a free slot
	}
	s.ticket++
	s.placements[s.ticket] = slot
	if j := s.jobs.get(jobID, ""); j != nil {
		if decision != nil {
			j.decision = *decision
		}
		j.info.State, j.info.Node, j.info.Attempts = JobPlaced, id, attempt
		s.k.emit(JobPlacedEvent{At{now}, jobID, id, c.Score, attempt, j.decision})
	}
	return matchmaker.Placement{Node: id, Score: c.Score, Ticket: s.ticket}
}

// decide describes the choice c. It looks at every node only when they are few.
func (s *state) decide(req scheduler.Request, c scheduler.Choice, now time.Time) Decision {
	d := Decision{Latency: c.Node.Latency}
	if s.index.Len() <= s.k.cfg.Explain {
		// The request is valid, or Choose would have refused it; if not, the
		// decision's error says so and there is nothing to explain.
		d.Explanation, _ = s.index.Explain(req, now, topCandidates)
		return d
	}
	d.Considered = s.index.Len()
	var top [topCandidates]scheduler.Choice
	n, _ := s.index.TopK(req, now, top[:])
	for _, c := range top[:n] {
		d.Top = append(d.Top, scheduler.Candidate{Node: c.Node, Score: c.Score, Parts: s.index.Parts(c.Node)})
	}
	return d
}

// Done gives the slot back. A node that answered that it is busy counts as full,
// one that could not be reached counts a miss.
func (c chooser) Done(p matchmaker.Placement, out mesh.JobOutcome, err error) {
	// The kernel's end is the only error, and then nobody needs the slot.
	_ = c.k.loop.tell(context.Background(), func(s *state) {
		if _, several := s.crews[p.Ticket]; several {
			s.disband(p.Ticket) // each copy that set out has its own slot to give back
			s.k.matchmaker.Kick()
			return
		}
		slot := s.placements[p.Ticket]
		delete(s.placements, p.Ticket)
		switch {
		case slot.own && out.Code == mesh.JobBusy:
			s.cooling++ // its capsules have no room; not before the next tick
			return
		case slot.own:
			s.returnSlot()
			return
		}
		s.index.Release(slot.lease)
		s.conduct(p, slot, out, err, time.Now())
		switch {
		case out.Code == mesh.JobBusy:
			s.index.Full(p.Node, time.Now())
		case errors.Is(err, mesh.ErrUnreachable):
			s.missed(p.Node, time.Now())
		}
		s.k.matchmaker.Kick()
	})
}

func requestOf(job governance.Job, failed []identity.PeerID) scheduler.Request {
	r := job.Requirements
	exclude := make([]identity.PeerID, 0, len(r.Exclude)+len(failed))
	for _, id := range r.Exclude {
		exclude = append(exclude, identity.PeerID(id))
	}
	return scheduler.Request{
		JobID: job.ID, Capabilities: r.Capabilities, GeoPrefix: r.GeoPrefix, MaxCost: r.MaxCost,
		Exclude: append(exclude, failed...),
	}
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
