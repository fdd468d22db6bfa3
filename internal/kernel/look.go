package kernel

import (
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
	// lookAtLeast is the longest time between two lookups for a job that waits.
	lookAtLeast = 30 * time.Second
)

// round is a measurement of some nodes that jobs wait for.
type round struct {
	ids  []identity.PeerID
	done chan struct{} // closed when all have answered or will not
	lead string        // the job that measures; the others wait
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
	return s.unsure(w, s.best(req, now, space[:]), now)
}

// unsure reports whether w had better wait until those of top have been measured whose
// latency is an estimate: once for each attempt, and for each node once in a while.
func (s *state) unsure(w matchmaker.Waiting, top []scheduler.Choice, now time.Time) bool {
	if s.estimated == 0 {
		return false
	}
	j := s.jobs.get(w.Job.Job().ID, "")
	if j == nil || j.measured >= w.Attempt || s.k.mesh.Load() == nil {
		return false
	}
	var wait, own *round
	for _, c := range top {
		n := s.nodes[c.Node.ID]
		switch {
		case n == nil || n.rtt > 0: // this node itself, or measured
		case n.round != nil && !n.round.over():
			wait = n.round
		case n.asked.IsZero() || now.Sub(n.asked) >= measureAgain:
			if own == nil {
				own = &round{done: make(chan struct{}), lead: j.info.ID}
			}
			own.ids = append(own.ids, c.Node.ID)
			n.asked, n.round = now, own
		}
	}
	if own != nil {
		wait = own
	}
	if wait != nil {
		j.measured, j.round = w.Attempt, wait
	}
	return wait != nil
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

// Look implements matchmaker.Chooser: it measures the nodes that look best, or asks
// the directory when there are none.
func (c chooser) Look(ctx context.Context, w matchmaker.Waiting) {
	k, job := c.k, w.Job.Job()
	var r *round
	if k.loop.ask(ctx, func(s *state) {
		if j := s.jobs.get(job.ID, ""); j != nil {
			r, j.round = j.round, nil
		}
	}) != nil {
		return
	}
	switch {
	case r == nil:
		k.discover(ctx, job.Requirements.Capabilities)
	case r.lead == job.ID:
		defer close(r.done)
		if m, err := k.theMesh(); err == nil {
			ctx, cancel := context.WithTimeout(ctx, firstTimeout)
			defer cancel()
			k.measure(ctx, m, r.ids, measureFirst)
		}
	default:
		select {
		case <-r.done:
		case <-ctx.Done():
		}
	}
}
