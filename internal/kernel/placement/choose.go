package placement

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// Choose sets a slot aside for each of jobs: a slot of the best node for one job, the slots of
// the best matching for several. Each of them is for one node, and has a Job. What comes of it
// goes to the same place of out.
func (t *Table) Choose(jobs []matchmaker.Waiting, out []matchmaker.Choice, now time.Time) {
	if len(jobs) > 1 {
		t.chooseTogether(jobs, out, now)
	} else {
		out[0] = t.chooseOne(jobs[0], now)
	}
}

// chooseTogether matches several jobs with the nodes there are. Those that get none
// hear why one by one.
func (t *Table) chooseTogether(jobs []matchmaker.Waiting, out []matchmaker.Choice, now time.Time) {
	started := t.cfg.Now()
	reqs := make([]scheduler.Request, 0, len(jobs))
	which := make([]int, 0, len(jobs)) // of jobs
	proven := false                    // one with a record is free
	for i, w := range jobs {
		if w.Last { // it is not the sum of all scores that counts for it
			out[i] = t.chooseOne(w, now)
			continue
		}
		req := t.requestFor(w, now)
		if t.uncertain(w, req, now) {
			out[i].Err = matchmaker.ErrLook
			continue
		}
		if pref, other := t.preferred(w, req, now); other {
			if _, err := t.index.Choose(pref, now); err == nil {
				req = pref
			}
		}
		if len(reqs) == 1 { // of those placed at once one may go to a stranger, if others are free
			known := reqs[0]
			known.Known = true
			_, err := t.index.Choose(known, now)
			proven = err == nil
		}
		req.Known = req.Known || proven
		reqs, which = append(reqs, req), append(which, i)
	}
	choices := make([]scheduler.Choice, len(reqs))
	t.index.Assign(reqs, now, choices)
	decisions := make([]Decision, len(reqs)) // before anything is set aside
	for k, c := range choices {
		if c.Node.ID == "" {
			continue
		}
		decisions[k] = t.Describe(reqs[k], nil, now)
		if top := decisions[k].Top; len(top) > 0 && top[0].Node.ID != c.Node.ID {
			decisions[k].Why = fmt.Sprintf("best for all of %d jobs that waited together", len(reqs))
		}
	}
	for k, c := range choices {
		if c.Node.ID != "" {
			decisions[k].Latency, decisions[k].Took = c.Node.Latency, t.took(started)/time.Duration(len(reqs))
			out[which[k]] = t.setAside(jobs[which[k]], c, decisions[k], now)
		}
	}
	for k, c := range choices {
		if c.Node.ID == "" {
			out[which[k]] = t.chooseOne(jobs[which[k]], now)
		}
	}
}

func (t *Table) took(started time.Time) time.Duration { return t.cfg.Now().Sub(started) }

// chooseOne sets a slot of the best node aside.
func (t *Table) chooseOne(w matchmaker.Waiting, now time.Time) matchmaker.Choice {
	started := t.cfg.Now()
	req := t.requestFor(w, now)
	var space [ProbeAtOnce]scheduler.Choice
	top := t.best(req, now, space[:])
	if t.unsure(w, req, top, now) {
		return matchmaker.Choice{Err: matchmaker.ErrLook}
	}
	if len(top) == 0 {
		t.AskOthers(req, now)
		return t.chooseNone(w, req, now)
	}
	if pref, other := t.preferred(w, req, now); other {
		if better := t.best(pref, now, space[:]); len(better) > 0 {
			req, top = pref, better
		} else { // the space is used
			top = t.best(req, now, space[:])
		}
	}
	d := t.Describe(req, top, now)
	c := top[0]
	if w.Last {
		var busy bool
		if c, busy = t.lastNode(w, req, c, now); busy {
			return busyFor("a node to be relied on", " record")
		}
	}
	d.Latency, d.Took = c.Node.Latency, t.took(started)
	return t.setAside(w, c, d, now)
}

// best are the best nodes for req: as many as a Decision names, and while some nodes'
// latency is an estimate as many as are measured first.
func (t *Table) best(req scheduler.Request, now time.Time, space []scheduler.Choice) []scheduler.Choice {
	if t.estimated == 0 {
		space = space[:TopCandidates]
	}
	n, err := t.index.TopK(req, now, space)
	if err != nil {
		return nil // Choose says the same
	}
	return space[:n]
}

// chooseNone says why no node can have w now. Nothing is explained to a job that
// only waits: it may wait often.
func (t *Table) chooseNone(w matchmaker.Waiting, req scheduler.Request, now time.Time) (none matchmaker.Choice) {
	_, err := t.index.Choose(req, now)
	j := w.Job.(Job)
	if a := j.Admitted(); errors.Is(err, scheduler.ErrNoCandidate) && len(t.refused.of(a, now))+len(t.suspect.of(a, now)) > 0 {
		if w.Last && w.Attempt > 1 && t.mayWait(w, hearingWait, now) {
			return busyFor("a node that has not failed such a job", " untried")
		}
		// Suspended nodes are better than none.
		req = RequestOf(a.Job(), w.Exclude)
		c, again := t.index.Choose(req, now)
		if again == nil {
			d := t.Describe(req, nil, now)
			d.Latency = c.Node.Latency
			return t.setAside(w, c, d, now)
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
	h := j.History()
	if len(req.Capabilities) > 0 && h.LookUp(w.Attempt, now) {
		none.Err = fmt.Errorf("%w: %w", matchmaker.ErrLook, none.Err)
		return none
	}
	h.decided = false // what is decided now is asked for when somebody wants to know
	return none
}

// busyFor has a job wait, apart from those that wait for a free slot of any node.
func busyFor(what, apart string) matchmaker.Choice {
	return matchmaker.Choice{Err: fmt.Errorf("%w: %w: it waits for %s", matchmaker.ErrBusy, scheduler.ErrBusy, what), For: what, Apart: apart}
}

// NoGroup is the Choice of w, a job for several nodes, for which there are too few now as err
// says: the nodes that would do are asked, and the directory, and the job waits for news.
func (t *Table) NoGroup(w matchmaker.Waiting, err error, now time.Time) matchmaker.Choice {
	t.AskOthers(t.requestFor(w, now), now)
	err = fmt.Errorf("%w: %w", matchmaker.ErrNobody, err) // a profile may be on its way: each kicks the queue
	j := w.Job.(Job)
	if len(j.Admitted().Job().Requirements.Capabilities) > 0 && j.History().LookUp(w.Attempt, now) {
		err = fmt.Errorf("%w: %w", matchmaker.ErrLook, err)
	}
	return matchmaker.Choice{Err: err}
}

// requestFor is what w needs, without those that are suspended since another node has done what
// they failed, and without the strangers that are suspended for any reason.
func (t *Table) requestFor(w matchmaker.Waiting, now time.Time) scheduler.Request {
	a := w.Job.Admitted()
	r := RequestOf(a.Job(), w.Exclude)
	r.Exclude = append(r.Exclude, t.refused.of(a, now)...)
	for _, id := range t.suspect.of(a, now) {
		if n := t.nodes[id]; n != nil && t.stranger(id, n, now) {
			r.Exclude = append(r.Exclude, id)
		}
	}
	return r
}

// preferred is req as far as the nodes that are not suspended, and have a record while money
// is out with a stranger, can meet it; false when it is no other than req.
func (t *Table) preferred(w matchmaker.Waiting, req scheduler.Request, now time.Time) (scheduler.Request, bool) {
	suspect := t.suspect.of(w.Job.Admitted(), now)
	known := t.outWithStrangers(now) > 0
	if len(suspect) == 0 && !known {
		return req, false
	}
	req.Exclude = append(slices.Clone(req.Exclude), suspect...)
	req.Known = known
	return req, true
}
