package kernel

import (
	"context"
	"errors"
	"math"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
)

// trusting is a Scorer that weighs a node's score by what this node has seen of
// it: times 1 for a stranger, to the bit, towards 2 for the best and 0 for the
// worst. A factor changes only on the loop, which has the index score the node anew in
// the same step (state.weigh): so for the index it is as fixed as the rest of a node.
type trusting struct {
	scheduler.Scorer
	factors map[identity.PeerID]float64 // the state's
	caps    map[identity.PeerID]float64 // of strangers that are cheaper than they may look
}

// Score implements scheduler.Scorer.
func (t trusting) Score(n scheduler.Node) float64 {
	score := t.Scorer.Score(n)
	if f, ok := t.factors[n.ID]; ok {
		score *= f
	}
	if f, ok := t.caps[n.ID]; ok {
		score *= f
	}
	return score
}

// Parts implements scheduler.Scorer. A stranger's are the formula's alone, as long as it
// is not much cheaper than others.
func (t trusting) Parts(n scheduler.Node) []scheduler.Part {
	parts := t.Scorer.Parts(n)
	if f, ok := t.factors[n.ID]; ok {
		parts = append(parts, scheduler.Part{Name: "reputation", Value: f})
	}
	if f, ok := t.caps[n.ID]; ok {
		parts = append(parts, scheduler.Part{Name: "stranger's price", Value: f})
	}
	return parts
}

const (
	// factorStep is the least change of a factor worth scoring a node anew for.
	factorStep = 0.001
	// weighedAtOnce bounds the nodes whose factor is brought up to date in a tick:
	// reputations fade within days.
	weighedAtOnce = 256
)

// reckon brings the factors of a node up to date: its reputation, and for a stranger what
// caps its price. It reports whether one has changed.
func (s *state) reckon(id identity.PeerID, n *node, now time.Time) bool {
	f, limit := 1.0, 1.0
	if s.k.cfg.Reputation != nil {
		f = s.k.cfg.Reputation.Factor(id, now)
	}
	if n != nil && s.stranger(id, n) {
		limit = s.capped(n.profile.CreditCost)
	}
	changed := setFactor(s.factors, id, f)
	return setFactor(s.caps, id, limit) || changed
}

// setFactor notes a factor of which 1 is none, and reports whether that changes anything
// worth scoring a node anew for.
func setFactor(factors map[identity.PeerID]float64, id identity.PeerID, f float64) bool {
	old, known := factors[id]
	switch {
	case !known && f == 1, known && f != 1 && math.Abs(f-old) < factorStep*min(old, 1):
		return false
	case f == 1:
		delete(factors, id)
	default:
		factors[id] = f
	}
	return true
}

// weigh brings the factor and the score of a node up to date.
func (s *state) weigh(id identity.PeerID, now time.Time) {
	n := s.nodes[id]
	if s.reckon(id, n, now) && n != nil {
		// It is the setter that scores anew. A factor that makes no score of it leaves
		// the old one.
		_ = s.index.SetLatency(id, s.latency(n))
	}
}

// weighAgain lets reputations fade.
func (s *state) weighAgain(now time.Time) {
	left := weighedAtOnce
	for id := range s.factors { // in random order: all have their turn
		if left--; left < 0 {
			return
		}
		s.weigh(id, now)
	}
}

// note remembers what a node did, beyond this run of the program.
func (s *state) note(id identity.PeerID, deed credit.Deed, now time.Time) {
	if s.k.cfg.Reputation == nil || id == s.k.cfg.Self {
		return
	}
	s.k.cfg.Reputation.Note(id, deed, now)
	if s.nodes[id] != nil {
		s.weigh(id, now)
	}
}

// judge notes what node did with a job, as far as that shows by itself. What its
// capsule did, and what the caller gave up, says nothing about the node; that it took
// too long, or failed inside, counts once another node has done the job
// (state.contradicted).
func (k *Kernel) judge(ctx context.Context, node identity.PeerID, out mesh.JobOutcome, err error) {
	if deed, ok := deedOf(ctx, out, err); ok {
		// Without a loop there is nothing to weigh.
		_ = k.loop.tell(context.Background(), func(s *state) { s.note(node, deed, time.Now()) })
	}
}

func deedOf(ctx context.Context, out mesh.JobOutcome, err error) (d credit.Deed, ok bool) {
	switch {
	case errors.Is(err, mesh.ErrResult):
		return credit.DeedDisagree, true
	case err == nil:
		return credit.DeedDone, out.Code == mesh.JobOK && ctx.Err() == nil
	case errors.Is(err, mesh.ErrUnsent):
		return 0, false
	case errors.Is(err, mesh.ErrProtocol):
		return credit.DeedFailed, ctx.Err() == nil
	}
	return 0, false
}
