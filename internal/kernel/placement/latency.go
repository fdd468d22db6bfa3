package placement

import (
	"hash/fnv"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler/vivaldi"
)

// unsettled is the error from which on a coordinate is too inaccurate to choose by.
const unsettled = 0.75

// leastEstimate bounds what a coordinate can claim: no node counts as nearer before it has been
// measured.
const leastEstimate = time.Millisecond

// newVivaldi makes this node's network coordinate. Its id breaks ties.
func newVivaldi(self identity.PeerID) *vivaldi.Node {
	h := fnv.New64a()
	_, _ = h.Write([]byte(self)) // never fails
	return vivaldi.New(h.Sum64())
}

// latency is what n is scored with. This node's own measurement counts as it is. A node that was
// never measured counts with the distance of its network coordinate to this node's own. While one
// of the two has not settled, the node's claim counts, and Config.DefaultLatency at least: it could
// claim anything to attract jobs.
func (t *Table) latency(n *node) time.Duration {
	if n.rtt > 0 {
		return n.rtt
	}
	if d, ok := t.estimate(n.profile.Coordinate); ok {
		return d
	}
	return max(n.profile.Latency, t.cfg.DefaultLatency)
}

func (t *Table) estimate(c *mesh.Coordinate) (time.Duration, bool) {
	p, ok := pointOf(c)
	own := t.vivaldi.Point()
	if !ok || p.Error > unsettled || own.Error > unsettled {
		return 0, false
	}
	return max(vivaldi.Estimate(own, p), leastEstimate), true
}

// pointOf is c as a point of this node's space; false for nil and for a point of another space.
func pointOf(c *mesh.Coordinate) (vivaldi.Point, bool) {
	if c == nil {
		return vivaldi.Point{}, false
	}
	p := vivaldi.Point{Vec: c.Vec, Height: c.Height, Error: c.Error}
	return p, p.Valid()
}

// Coordinate is this node's own coordinate, as it is published.
func (t *Table) Coordinate() *mesh.Coordinate {
	p := t.vivaldi.Point()
	return &mesh.Coordinate{Vec: p.Vec, Height: p.Height, Error: p.Error}
}
