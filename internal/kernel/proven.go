package kernel

import (
	"time"

	"inos/internal/scheduler"
)

// provenFrom is how many of the best nodes a job's last attempt may go to.
const provenFrom = 32

// proven is who gets a job's last attempt: of the best nodes the one that has done jobs
// for this node and failed the least lately, or best where none has done any.
func (s *state) proven(req scheduler.Request, best scheduler.Choice, now time.Time) scheduler.Choice {
	var top [provenFrom]scheduler.Choice
	n, _ := s.index.TopK(req, now, top[:]) // a bad request has not come so far
	found := false
	for _, c := range top[:n] {
		known := s.nodes[c.Node.ID]
		if c.Node.ID != s.k.cfg.Self && (known == nil || known.answers.n == 0) {
			continue
		}
		if !found || c.Node.Failures < best.Node.Failures {
			best, found = c, true
		}
	}
	return best
}
