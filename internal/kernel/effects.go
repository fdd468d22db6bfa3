package kernel

import (
	"time"

	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
)

// effects carries out, on the loop, the effects of a placement.Table.
type effects struct{ s *state }

var _ placement.Effects = (*effects)(nil)

// Kick implements placement.Effects.
func (e *effects) Kick() { e.s.k.matchmaker.Kick() }

// KickAfter implements placement.Effects.
func (e *effects) KickAfter(d time.Duration) (stop func()) {
	t := time.AfterFunc(d, e.s.k.matchmaker.Kick)
	return func() { t.Stop() }
}

// Measure implements placement.Effects. When too many nodes wait, the next round of pings measures
// the node.
func (e *effects) Measure(id identity.PeerID) {
	select {
	case e.s.k.pings <- id:
	default:
	}
}

// Probe implements placement.Effects.
func (e *effects) Probe(p *placement.Probe) bool {
	s, k := e.s, e.s.k
	m, err := k.Mesh()
	if err != nil || k.life.Err() != nil {
		return false
	}
	over := make(chan struct{})
	s.probes[p] = over
	k.dials.Go(func() {
		defer close(over)
		k.measure(k.life, m, p.Nodes, placement.ProbeAtOnce)
		// Without a loop no node is chosen.
		_ = k.loop.ask(k.life, func(s *state) {
			s.nodes.ProbeEnded(p)
			delete(s.probes, p)
		})
	})
	return true
}

// CanDial implements placement.Effects. It is true for every node when there is no mesh, or when
// the mesh cannot tell.
func (e *effects) CanDial(addrs []string) bool {
	m, err := e.s.k.Mesh()
	if err != nil {
		return true
	}
	d, ok := m.(mesh.Dialer)
	return !ok || d.CanDial(addrs)
}

// Fund implements placement.Effects.
func (e *effects) Fund(j placement.Job, price uint64, now time.Time) (placement.Offer, error) {
	return e.s.fund(j.(*job), price, now)
}

// Placed implements placement.Effects.
func (e *effects) Placed(placed placement.Job, node identity.PeerID, score float64, attempt int, now time.Time) {
	j := placed.(*job)
	j.info.State, j.info.Node, j.info.Attempts = JobPlaced, node, attempt
	d, _ := j.history.Decision()
	e.s.k.emit(JobPlacedEvent{At{now}, j.info.ID, node, score, attempt, d})
}

// OwnChanged implements placement.Effects.
func (e *effects) OwnChanged() {
	select {
	case e.s.k.republish <- struct{}{}:
	default:
	}
}

// NodeHeard implements placement.Effects.
func (e *effects) NodeHeard(p mesh.Profile, isNew bool, now time.Time) {
	e.s.k.emit(NodeHeard{At{now}, p, isNew})
}

// NodeGone implements placement.Effects.
func (e *effects) NodeGone(id identity.PeerID, now time.Time) {
	e.s.k.emit(NodeGone{At{now}, id})
}
