package kernel

import (
	"time"

	"inos/internal/mesh"
	"inos/internal/scheduler"
)

const (
	// provenFrom is how many of the best nodes a job's last attempt may go to: strangers
	// that come and go stay known for as long as their profiles are good, and look better
	// than they are.
	provenFrom = 256
	// blemished is the count of failures from which on a node is no more one that is well.
	blemished = 0.5
)

// proven is who gets a job's last attempt: of the best nodes that have done jobs for this
// node and have not failed lately the one that has been there the longest, without being
// lost. Where none has done any, as for a node that came for one job, it is the one that
// has been connected the longest, or best where that is no other.
func (s *state) proven(req scheduler.Request, best scheduler.Choice, now time.Time) scheduler.Choice {
	top := make([]scheduler.Choice, provenFrom)
	n, _ := s.index.TopK(req, now, top) // a bad request has not come so far
	found, stayed := false, best
	for _, c := range top[:n] {
		known, self := s.nodes[c.Node.ID], c.Node.ID == s.k.cfg.Self
		switch {
		case self || known != nil && known.answers.n > 0:
			if !found || s.steadier(c.Node, best.Node) {
				best, found = c, true
			}
		case known != nil && known.connected && s.steadier(c.Node, stayed.Node):
			stayed = c
		}
	}
	if !found {
		return stayed
	}
	return best
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
