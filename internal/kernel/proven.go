package kernel

import (
	"errors"
	"slices"
	"time"

	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

const (
	// provenFrom is how many of the best nodes a job's last attempt may go to: strangers
	// that come and go stay known for as long as their profiles are good, and look better
	// than they are.
	provenFrom = 256
	// blemished is the count of failures from which on a node is no more one that is well.
	blemished = 0.5
)

// provenWait is how long a job's last attempt waits for a node with a record while only
// strangers are free.
const provenWait = 10 * time.Second

// proven is who gets a job's last attempt: of the best nodes that have done jobs for this
// node and have not failed lately the one that has been there the longest, without being
// lost. busy says that there are such nodes, and none of them is free. Where none has done
// any, as for a node that came for one job, or none has been free for too long, it is the
// one that has been connected the longest, or best where that is no other.
func (s *state) proven(w matchmaker.Waiting, req scheduler.Request, best scheduler.Choice, now time.Time) (c scheduler.Choice, busy bool) {
	top := make([]scheduler.Choice, provenFrom)
	known := req
	known.Known, known.Exclude = true, append(slices.Clone(req.Exclude), s.doubts.of(w.Job, now)...)
	n, _ := s.index.TopK(known, now, top) // a bad request has not come so far
	if n > 0 {
		return s.steadiest(top[0], top[1:n]), false
	}
	if _, err := s.index.Choose(known, now); errors.Is(err, scheduler.ErrBusy) && s.mayWait(w, now) {
		return best, true
	}
	n, _ = s.index.TopK(req, now, top)
	connected := slices.DeleteFunc(top[:n], func(c scheduler.Choice) bool {
		n := s.nodes[c.Node.ID]
		return n == nil || !n.connected
	})
	return s.steadiest(best, connected), false
}

// steadiest is the one of all to be relied on most.
func (s *state) steadiest(c scheduler.Choice, others []scheduler.Choice) scheduler.Choice {
	for _, other := range others {
		if s.steadier(other.Node, c.Node) {
			c = other
		}
	}
	return c
}

// mayWait reports whether w's last attempt has not waited for provenWait, yet.
func (s *state) mayWait(w matchmaker.Waiting, now time.Time) bool {
	j := s.jobs.get(w.Job.Job().ID, "")
	if j == nil {
		return false
	}
	if j.lastSince.IsZero() {
		j.lastSince = now
	}
	return now.Sub(j.lastSince) < provenWait
}

// steadier reports whether a is the one of two nodes that have done jobs to be relied on.
func (s *state) steadier(a, b scheduler.Node) bool {
	if well := a.Failures < blemished; well != (b.Failures < blemished) {
		return well
	}
	return s.since(a).Before(s.since(b))
}

// since is how long a node has been there: this one always has.
func (s *state) since(n scheduler.Node) time.Time {
	if known := s.nodes[n.ID]; known != nil {
		return known.steady
	}
	return s.k.started
}

// shaken reports whether a hand-over that ended so says that its node does not run on.
func shaken(out mesh.JobOutcome, err error) bool {
	return lostOnTheWay(err) || ranOut(out, err) || out.Code == mesh.JobInternal || out.Code == mesh.JobCancelled
}
