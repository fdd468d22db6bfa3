package kernel

import (
	"fmt"

	"inos/internal/identity"
	"inos/internal/scheduler"
)

// WhyThere says why a job ran on node, by the decision that sent it: what set the
// winner apart, or where a node stands that was taken though others score better,
// as the nodes of a job's further copies are. Empty for one that was no candidate
// or is too far down to be listed.
func WhyThere(e scheduler.Explanation, node identity.PeerID) string {
	for i, c := range e.Top {
		switch {
		case c.Node.ID != node:
		case i == 0:
			return e.Why
		default:
			return fmt.Sprintf("score %.4g, rank %d", c.Score, i+1)
		}
	}
	return ""
}
