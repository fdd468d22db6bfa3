package placement

import (
	"math"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/scheduler"
)

// weighted is a Scorer that multiplies a node's score by a factor of its reputation: exactly 1 for
// a stranger, up to 2 for the best and down to 0 for the worst. A factor changes only together with
// the score (Table.weigh), so that the index may rely on it.
type weighted struct {
	scheduler.Scorer
	reputation map[identity.PeerID]float64 // of nodes that are no strangers
	price      map[identity.PeerID]float64 // of strangers whose price counts for less
}

// Score implements scheduler.Scorer.
func (w weighted) Score(n scheduler.Node) float64 {
	score := w.Scorer.Score(n)
	if f, ok := w.reputation[n.ID]; ok {
		score *= f
	}
	if f, ok := w.price[n.ID]; ok {
		score *= f
	}
	return score
}

// Parts implements scheduler.Scorer. Those of a stranger that is not much cheaper than others are
// the formula's alone.
func (w weighted) Parts(n scheduler.Node) []scheduler.Part {
	parts := w.Scorer.Parts(n)
	if f, ok := w.reputation[n.ID]; ok {
		parts = append(parts, scheduler.Part{Name: "reputation", Value: f})
	}
	if f, ok := w.price[n.ID]; ok {
		parts = append(parts, scheduler.Part{Name: "stranger's price", Value: f})
	}
	return parts
}

func (w weighted) forget(id identity.PeerID) {
	delete(w.reputation, id)
	delete(w.price, id)
}

const (
	// factorStep is the least change of a factor for which a node is scored again.
	factorStep = 0.001
	// fadedAtOnce bounds the nodes whose factor is updated in a tick: reputations fade within days.
	fadedAtOnce = 256
)

// updateFactors updates the factors of a node: its reputation, and a stranger's price factor. It
// reports whether one has changed.
func (t *Table) updateFactors(id identity.PeerID, n *node, now time.Time) bool {
	reputation, price := 1.0, 1.0
	if t.cfg.Reputation != nil {
		reputation = t.cfg.Reputation.Factor(id, now)
	}
	if n != nil && t.stranger(id, n, now) {
		price = t.priceFactor(n.profile.CreditCost)
	}
	changed := setFactor(t.scorer.reputation, id, reputation)
	return setFactor(t.scorer.price, id, price) || changed
}

// setFactor stores a factor; 1 stands for none. It reports whether the change is large enough to
// score a node again.
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

// weigh updates the factors and the score of a node.
func (t *Table) weigh(id identity.PeerID, now time.Time) {
	n := t.nodes[id]
	if t.updateFactors(id, n, now) && n != nil {
		// SetLatency scores the node again. A factor that yields no score leaves the old one.
		_ = t.index.SetLatency(id, t.latency(n))
	}
}

// fadeReputations updates the factors of some nodes, since reputations fade.
func (t *Table) fadeReputations(now time.Time) {
	left := fadedAtOnce
	for id := range t.scorer.reputation { // in random order, so that all get their turn
		if left--; left < 0 {
			return
		}
		t.weigh(id, now)
	}
}

// Record records what a node did, across restarts of the program.
func (t *Table) Record(id identity.PeerID, deed credit.Deed, now time.Time) {
	if t.cfg.Reputation == nil || id == t.cfg.Self {
		return
	}
	t.cfg.Reputation.Note(id, deed, now)
	if t.nodes[id] != nil {
		t.weigh(id, now)
	}
}
