package kernel

import (
	"cmp"
	"context"
	"time"

	"inos/internal/identity"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

const (
	// measureFirst is how many of the nodes that look best for a job are measured
	// before it is placed, as far as their latency is an estimate.
	measureFirst = 8
	// firstTimeout bounds how long the job waits for that.
	firstTimeout = 400 * time.Millisecond
	// measureAgain is how long a node that gave no answer counts with its estimate.
	measureAgain = time.Minute
	// inVainAtMost is how many rounds in a row nobody may answer before jobs that have a
	// node wait for no more of them: somebody tells of nodes that do not exist.
	inVainAtMost = 2
	// lookAtLeast is the longest time between two lookups for a job that waits.
	lookAtLeast = 30 * time.Second
)

// round is a measurement of some nodes that jobs wait for, though not for long.
type round struct {
	ids   []identity.PeerID
	began time.Time
	done  chan struct{} // closed when all have answered or will not
}

func (r *round) over() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// uncertain is unsure of the nodes that look best for req.
func (s *state) uncertain(w matchmaker.Waiting, req scheduler.Request, now time.Time) bool {
	if s.estimated == 0 {
		return false
	}
	var space [measureFirst]scheduler.Choice
	return s.unsure(w, req, s.best(req, now, space[:]), now)
}

// unsure reports whether w had better wait until those of top have been measured whose
// latency is an estimate, and those that would come before them have been asked whether
// they are there at all: once for each attempt, and for each node once in a while.
func (s *state) unsure(w matchmaker.Waiting, req scheduler.Request, top []scheduler.Choice, now time.Time) bool {
	if s.estimated == 0 {
		return false
	}
	j := w.Job.(*job)
	if j.measured >= w.Attempt || s.k.mesh.Load() == nil {
		return false
	}
	wait, own := s.toAsk(top, now, nil)
	fresh := s.newcomers(req, top, now)
	if s.inVain < inVainAtMost || len(top) == 0 {
		if own = s.joinedTo(own, fresh); wait == nil && s.newest != nil && now.Sub(s.newest.began) < firstTimeout && !s.newest.over() {
			wait = s.newest
		}
	} else if fresh != nil {
		s.ask(fresh) // nobody waits: they may well not be there
	}
	if own != nil {
		s.ask(own)
		wait = own
	}
	if wait != nil {
		j.measured, j.round = w.Attempt, wait
	}
	return wait != nil
}

// askOthers asks those that would do for a job that has no node now: whoever answers
// wakes it, and if nobody does there are others.
func (s *state) askOthers(req scheduler.Request, now time.Time) {
	if s.estimated == 0 || s.k.mesh.Load() == nil {
		return
	}
	if fresh := s.newcomers(req, nil, now); fresh != nil {
		s.ask(fresh)
	}
}

// newcomers are a round of the nodes that would be among those that look best for req, as
// top are, had they ever answered; nil if there are none that have not been asked lately.
func (s *state) newcomers(req scheduler.Request, top []scheduler.Choice, now time.Time) (r *round) {
	var space [measureFirst]scheduler.Choice
	found, _ := s.index.Unheard(req, now, space[:]) // a bad request has not come so far
	for _, c := range space[:found] {
		n := s.nodes[c.Node.ID]
		if n == nil || len(top) >= measureFirst && c.Score <= top[len(top)-1].Score {
			break
		}
		if r == nil {
			r = &round{began: now, done: make(chan struct{})}
		}
		n.asked, n.round = now, r
		r.ids = append(r.ids, c.Node.ID)
		s.index.SetAsked(c.Node.ID, true)
		s.asked = append(s.asked, c.Node.ID)
	}
	if r != nil {
		s.newest = r
	}
	return r
}

// joinedTo is fresh, in one with own where there is such a round.
func (s *state) joinedTo(own, fresh *round) *round {
	if own == nil || fresh == nil {
		return cmp.Or(own, fresh)
	}
	own.ids = append(own.ids, fresh.ids...)
	for _, id := range fresh.ids {
		s.nodes[id].round = own
	}
	s.newest = own
	return own
}

// askAgain lets those be asked again that have not answered for a while.
func (s *state) askAgain(now time.Time) {
	for len(s.asked) > 0 {
		id := s.asked[0]
		if n := s.nodes[id]; n != nil && now.Sub(n.asked) < measureAgain {
			return
		}
		s.index.SetAsked(id, false)
		s.asked = s.asked[1:]
	}
}

// toAsk adds those of nodes to own that are to be measured now, and returns a round
// under way that measures one of them.
func (s *state) toAsk(nodes []scheduler.Choice, now time.Time, own *round) (wait, _ *round) {
	for _, c := range nodes {
		n := s.nodes[c.Node.ID]
		switch {
		case n == nil || n.rtt > 0: // this node itself, or measured
		case n.round != nil && !n.round.over():
			if now.Sub(n.round.began) < firstTimeout {
				wait = n.round
			}
		case n.asked.IsZero() || now.Sub(n.asked) >= measureAgain:
			if own == nil {
				own = &round{began: now, done: make(chan struct{})}
			}
			own.ids = append(own.ids, c.Node.ID)
			n.asked, n.round = now, own
		}
	}
	return wait, own
}

// ask measures r's nodes. Jobs wait for it for firstTimeout; who answers later is taken
// in all the same.
func (s *state) ask(r *round) {
	k := s.k
	m, err := k.theMesh()
	if err != nil || k.life.Err() != nil {
		close(r.done)
		return
	}
	s.inVain++ // until somebody answers
	k.dials.Go(func() {
		defer close(r.done)
		k.measure(k.life, m, r.ids, measureFirst)
	})
}

// mayLook reports whether the directory shall be asked for j: for each attempt, and
// while j waits for a node now and then, twice as long apart each time.
func (j *job) mayLook(attempt int, now time.Time) bool {
	if j.looked >= attempt && now.Sub(j.lookedAt) < j.lookAgain {
		return false
	}
	if j.lookAgain = min(2*j.lookAgain, lookAtLeast); j.looked < attempt {
		j.lookAgain = findAgain
	}
	j.looked, j.lookedAt, j.asked = attempt, now, true
	return true
}

// Look implements matchmaker.Chooser: it waits for the nodes that look best to be
// measured, or asks the directory when there are none.
func (c chooser) Look(ctx context.Context, w matchmaker.Waiting) {
	k, j := c.k, w.Job.(*job)
	var r *round
	if k.loop.ask(ctx, func(s *state) { r, j.round = j.round, nil }) != nil {
		return
	}
	if r == nil {
		k.discover(ctx, j.admitted.Job().Requirements.Capabilities)
		return
	}
	limit := time.NewTimer(firstTimeout - time.Since(r.began))
	defer limit.Stop()
	select {
	case <-r.done:
	case <-limit.C:
	case <-ctx.Done():
	}
}
