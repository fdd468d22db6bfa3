package placement

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// Choose sets a slot aside for each of jobs: one job gets a slot of the best node, several get the
// slots of the best matching. Each job is for one node and has a Job. The choice for a job is
// stored at the same index of out.
func (t *Table) Choose(jobs []matchmaker.Waiting, out []matchmaker.Choice, now time.Time) {
	if len(jobs) > 1 {
		t.chooseTogether(jobs, out, now)
	} else {
		out[0] = t.chooseOne(jobs[0], now)
	}
}

// chooseTogether matches several jobs with the nodes. For each job that gets none it finds out why,
// one by one.
func (t *Table) chooseTogether(jobs []matchmaker.Waiting, out []matchmaker.Choice, now time.Time) {
	started := t.cfg.Now()
	reqs := make([]scheduler.Request, 0, len(jobs))
	which := make([]int, 0, len(jobs)) // indices into jobs
	proven := false                    // a node with a record is free
	for i, w := range jobs {
		if w.Last { // the best sum of all scores is not what its last attempt needs
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
		if len(reqs) == 1 { // of jobs placed at once one may go to a stranger, if other nodes are free
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
	decisions := make([]Decision, len(reqs)) // described before anything is set aside
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
		} else { // the space is in use
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

// best are the best nodes for req: as many as a Decision names and, while some nodes' latency is an
// estimate, as many as are measured first.
func (t *Table) best(req scheduler.Request, now time.Time, space []scheduler.Choice) []scheduler.Choice {
	if t.estimated == 0 {
		space = space[:TopCandidates]
	}
	n, err := t.index.TopK(req, now, space)
	if err != nil {
		return nil // Choose reports the same error
	}
	return space[:n]
}

// chooseNone finds out why no node can have w now. A job that only waits gets no explanation: it
// may wait often.
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
	h.decided = false // this decision is made again when it is asked for
	return none
}

// busyFor makes a job wait, in a line other than that of jobs that wait for a free slot of any
// node.
func busyFor(what, apart string) matchmaker.Choice {
	return matchmaker.Choice{Err: fmt.Errorf("%w: %w: it waits for %s", matchmaker.ErrBusy, scheduler.ErrBusy, what), For: what, Apart: apart}
}

// NoGroup is the Choice of w, a job for several nodes, for which err says that there are too few
// now. It asks the suitable nodes and the directory; the job waits for news.
func (t *Table) NoGroup(w matchmaker.Waiting, err error, now time.Time) matchmaker.Choice {
	t.AskOthers(t.requestFor(w, now), now)
	err = fmt.Errorf("%w: %w", matchmaker.ErrNobody, err) // a profile may be on its way: each one kicks the queue
	j := w.Job.(Job)
	if len(j.Admitted().Job().Requirements.Capabilities) > 0 && j.History().LookUp(w.Attempt, now) {
		err = fmt.Errorf("%w: %w", matchmaker.ErrLook, err)
	}
	return matchmaker.Choice{Err: err}
}

// requestFor is what w requires, without the nodes that are suspended because another node has done
// what they failed, and without the strangers that are suspended for any reason.
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

// preferred narrows req to the nodes that are not suspended and, while money is out with a
// stranger, have a record. false: that is req itself.
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
