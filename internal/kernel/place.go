package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/quorum"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// chooser is the scheduler as the matchmaker sees it.
type chooser struct{ k *Kernel }

// Choose implements matchmaker.Chooser: the best known node for one job, the best
// matching for several.
func (c chooser) Choose(ctx context.Context, jobs []matchmaker.Waiting) []matchmaker.Choice {
	started := c.k.cfg.Now()
	out := make([]matchmaker.Choice, len(jobs))
	if err := c.k.loop.ask(ctx, func(s *state) { s.placeAll(jobs, out) }); err != nil {
		for i := range out {
			out[i] = matchmaker.Choice{Err: err}
		}
	}
	for i, o := range out {
		if o.Err == nil { // a search that found all busy is waiting, not a choice
			spanSince(jobs[i].Ctx, "choose", started)
		}
	}
	return out
}

// placeAll goes by the order of jobs: those for one node together, as far as no job
// for several nodes stands between them.
func (s *state) placeAll(jobs []matchmaker.Waiting, out []matchmaker.Choice) {
	now := time.Now()
	for from := 0; from < len(jobs); {
		if jobs[from].Job.Admitted().Job().Copies() > 1 {
			out[from] = s.placeCopies(jobs[from], now)
			from++
			continue
		}
		to := from + 1
		for to < len(jobs) && jobs[to].Job.Admitted().Job().Copies() <= 1 {
			to++
		}
		if to-from > 1 {
			s.placeTogether(jobs[from:to], out[from:to], now)
		} else {
			out[from] = s.placeOne(jobs[from], now)
		}
		from = to
	}
}

// placeTogether matches several jobs with the nodes there are. Those that get none
// hear why one by one.
func (s *state) placeTogether(jobs []matchmaker.Waiting, out []matchmaker.Choice, now time.Time) {
	started := s.k.cfg.Now()
	reqs := make([]scheduler.Request, 0, len(jobs))
	which := make([]int, 0, len(jobs)) // of jobs
	proven := false                    // one with a record is free
	for i, w := range jobs {
		if w.Last { // it is not the sum of all scores that counts for it
			out[i] = s.placeOne(w, now)
			continue
		}
		req := s.requestFor(w, now)
		if s.uncertain(w, req, now) {
			out[i].Err = matchmaker.ErrLook
			continue
		}
		if pref, other := s.preferred(w, req, now); other {
			if _, err := s.index.Choose(pref, now); err == nil {
				req = pref
			}
		}
		if len(reqs) == 1 { // of those placed at once one may go to a stranger, if others are free
			known := reqs[0]
			known.Known = true
			_, err := s.index.Choose(known, now)
			proven = err == nil
		}
		req.Known = req.Known || proven
		reqs, which = append(reqs, req), append(which, i)
	}
	choices := make([]scheduler.Choice, len(reqs))
	s.index.Assign(reqs, now, choices)
	decisions := make([]Decision, len(reqs)) // before anything is set aside
	for k, c := range choices {
		if c.Node.ID == "" {
			continue
		}
		decisions[k] = s.describe(reqs[k], nil, now)
		if top := decisions[k].Top; len(top) > 0 && top[0].Node.ID != c.Node.ID {
			decisions[k].Why = fmt.Sprintf("best for all of %d jobs that waited together", len(reqs))
		}
	}
	for k, c := range choices {
		if c.Node.ID != "" {
			decisions[k].Latency, decisions[k].Took = c.Node.Latency, time.Since(started)/time.Duration(len(reqs))
			out[which[k]] = s.setAside(jobs[which[k]], c, decisions[k], now)
		}
	}
	for k, c := range choices {
		if c.Node.ID == "" {
			out[which[k]] = s.placeOne(jobs[which[k]], now)
		}
	}
}

// placeOne sets a slot of the best node aside.
func (s *state) placeOne(w matchmaker.Waiting, now time.Time) matchmaker.Choice {
	started := s.k.cfg.Now()
	req := s.requestFor(w, now)
	var space [measureFirst]scheduler.Choice
	top := s.best(req, now, space[:])
	if s.unsure(w, req, top, now) {
		return matchmaker.Choice{Err: matchmaker.ErrLook}
	}
	if len(top) == 0 {
		s.askOthers(req, now)
		return s.placeNowhere(w, req, now)
	}
	if pref, other := s.preferred(w, req, now); other {
		if better := s.best(pref, now, space[:]); len(better) > 0 {
			req, top = pref, better
		} else { // the space is used
			top = s.best(req, now, space[:])
		}
	}
	d := s.describe(req, top, now)
	c := top[0]
	if w.Last {
		var busy bool
		if c, busy = s.proven(w, req, c, now); busy {
			return busyFor("a node to be relied on", " record")
		}
	}
	d.Latency, d.Took = c.Node.Latency, time.Since(started)
	return s.setAside(w, c, d, now)
}

// best are the best nodes for req: as many as a Decision names, and while some nodes'
// latency is an estimate as many as are measured first.
func (s *state) best(req scheduler.Request, now time.Time, space []scheduler.Choice) []scheduler.Choice {
	if s.estimated == 0 {
		space = space[:topCandidates]
	}
	n, err := s.index.TopK(req, now, space)
	if err != nil {
		return nil // Choose says the same
	}
	return space[:n]
}

// placeNowhere says why no node can have w now. Nothing is explained to a job that
// only waits: it may wait often.
func (s *state) placeNowhere(w matchmaker.Waiting, req scheduler.Request, now time.Time) (none matchmaker.Choice) {
	_, err := s.index.Choose(req, now)
	j := w.Job.(*job)
	if a := j.admitted; errors.Is(err, scheduler.ErrNoCandidate) && (s.refusals.any(a, now) || s.doubts.any(a, now)) {
		if w.Last && w.Attempt > 1 && s.mayWait(w, hearingWait, now) {
			return busyFor("a node that has not failed such a job", " untried")
		}
		// Those that refused or failed such jobs not long ago are better than nobody.
		req = requestOf(a.Job(), w.Exclude)
		c, again := s.index.Choose(req, now)
		if again == nil {
			d := s.describe(req, nil, now)
			d.Latency = c.Node.Latency
			return s.setAside(w, c, d, now)
		}
		err = again
	}
	if errors.Is(err, scheduler.ErrBusy) {
		none.Err = fmt.Errorf("%w: %w", matchmaker.ErrBusy, err)
		return none
	}
	if none.Err = err; !errors.Is(err, scheduler.ErrNoCandidate) {
		return none
	}
	none.Err = fmt.Errorf("%w: %w", matchmaker.ErrNobody, err)
	if len(req.Capabilities) > 0 && j.mayLook(w.Attempt, now) {
		none.Err = fmt.Errorf("%w: %w", matchmaker.ErrLook, none.Err)
		return none
	}
	j.decided = false // what is decided now is asked for when somebody wants to know
	return none
}

// busyFor has a job wait, apart from those that wait for a free slot of any node.
func busyFor(what, apart string) matchmaker.Choice {
	return matchmaker.Choice{Err: fmt.Errorf("%w: %w: it waits for %s", matchmaker.ErrBusy, scheduler.ErrBusy, what), For: what, Apart: apart}
}

// placeCopies sets slots of several nodes aside.
func (s *state) placeCopies(w matchmaker.Waiting, now time.Time) (c matchmaker.Choice) {
	j := w.Job.(*job)
	if c = s.chooseGroup(j); !errors.Is(c.Err, quorum.ErrReplicas) {
		return c
	}
	s.askOthers(s.requestFor(w, now), now)
	c.Err = fmt.Errorf("%w: %w", matchmaker.ErrNobody, c.Err) // a profile may be on its way: each kicks the queue
	if len(j.admitted.Job().Requirements.Capabilities) > 0 && j.mayLook(w.Attempt, now) {
		c.Err = fmt.Errorf("%w: %w", matchmaker.ErrLook, c.Err)
	}
	return c
}

// setAside takes the slot of a choice, and what the run can cost of its ledger.
func (s *state) setAside(w matchmaker.Waiting, c scheduler.Choice, d Decision, now time.Time) matchmaker.Choice {
	j := w.Job.(*job)
	id, asked := c.Node.ID, j.admitted.Job()
	slot := &placement{at: now, capsule: asked.Capsule, method: asked.Method, kind: kindOf(j.admitted)}
	var err error
	if slot.offer, err = s.fund(j, c.Node.CreditCost, now); err != nil {
		j.decide(d)
		return short(err)
	}
	if id == s.k.cfg.Self {
		slot.own = s.takeSlot()
	} else {
		slot.lease, _ = s.index.Acquire(id, now) // a free slot was found
		if slot.stranger = c.Node.Stranger > 0; slot.stranger {
			s.strangersOut++
			slot.until = slot.offer.until(asked, now)
		}
	}
	s.placements++
	j.decide(d)
	j.info.State, j.info.Node, j.info.Attempts = JobPlaced, id, w.Attempt
	s.k.emit(JobPlacedEvent{At{now}, asked.ID, id, c.Score, w.Attempt, j.decision})
	return matchmaker.Choice{Placement: matchmaker.Placement{Node: id, Score: c.Score, Price: c.Node.CreditCost, Known: c.Node.Stranger == 0, Own: slot.own, Slot: slot}}
}

// Done gives the slot back. A node that answered that it is busy counts as full, one
// that could not be reached counts a miss and is passed over for a while.
func (c chooser) Done(p matchmaker.Placement, out mesh.JobOutcome, err error) {
	// The kernel's end is the only error, and then nobody needs the slot.
	_ = c.k.loop.tell(context.Background(), func(s *state) {
		if g, several := p.Slot.(*quorum.Group); several {
			s.giveBack(g.Members) // none once it has been started: each replica gives its own slot back
			s.k.matchmaker.Kick()
			return
		}
		slot := s.takeBack(p)
		slot.offer.release()
		if err == nil && out.Code == mesh.JobOK {
			s.runs.add(method{slot.capsule, slot.method}, min(out.Run, time.Since(slot.at)))
		}
		switch {
		case slot.own && out.Code == mesh.JobBusy:
			s.cooling++ // its capsules have no room; not before the next tick
			return
		case slot.own:
			s.returnSlot()
			return
		}
		s.index.Release(slot.lease)
		s.backFrom(p.Node, slot, err, time.Now())
		s.conduct(p, slot, out, err, time.Now())
		now := time.Now()
		switch {
		case lostOnTheWay(err):
			s.index.Unreachable(p.Node, now)
			if !errors.Is(err, mesh.ErrLossy) {
				s.missed(p.Node, now)
			}
		case out.Code == mesh.JobBusy:
			s.index.Full(p.Node, now)
		}
		if answered(err) {
			s.index.Reached(p.Node)
		}
		if n := s.nodes[p.Node]; n != nil && shaken(out, err) {
			n.steady = now
		}
		s.k.matchmaker.Kick()
	})
}

// slotOf is the slot that p is for.
func slotOf(p matchmaker.Placement) *placement { return p.Slot.(*placement) }

// takeBack counts p's slot as one that has been given back.
func (s *state) takeBack(p matchmaker.Placement) *placement {
	slot := slotOf(p)
	slot.returned = true
	s.placements--
	return slot
}

// requestFor is what w needs, without those that have refused such jobs lately, and
// without the strangers that have failed one.
func (s *state) requestFor(w matchmaker.Waiting, now time.Time) scheduler.Request {
	a := w.Job.Admitted()
	r := requestOf(a.Job(), w.Exclude)
	r.Exclude = append(r.Exclude, s.refusals.of(a, now)...)
	for _, id := range s.doubts.of(a, now) {
		if n := s.nodes[id]; n != nil && s.stranger(id, n) {
			r.Exclude = append(r.Exclude, id)
		}
	}
	return r
}

func requestOf(job governance.Job, failed []identity.PeerID) scheduler.Request {
	r := job.Requirements
	var exclude []identity.PeerID
	for _, id := range r.Exclude {
		exclude = append(exclude, identity.PeerID(id))
	}
	return scheduler.Request{
		JobID: job.ID, Capabilities: r.Capabilities, GeoPrefix: r.GeoPrefix, MaxCost: r.MaxCost,
		Exclude: append(exclude, failed...),
	}
}
