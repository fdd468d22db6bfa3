package placement

import (
	"math"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/scheduler"
)

// weighted is a Scorer that weighs a node's score by what this node has seen of
// it: times 1 for a stranger, to the bit, towards 2 for the best and 0 for the
// worst. A factor changes only together with the score (Table.weigh): so for the index it is
// as fixed as the rest of a node.
type weighted struct {
	scheduler.Scorer
	reputation map[identity.PeerID]float64 // of nodes that are no strangers
	price      map[identity.PeerID]float64 // of strangers that are cheaper than they may look
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

// Parts implements scheduler.Scorer. A stranger's are the formula's alone, as long as it
// is not much cheaper than others.
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
	// factorStep is the least change of a factor worth scoring a node anew for.
	factorStep = 0.001
	// fadedAtOnce bounds the nodes whose factor is brought up to date in a tick:
	// reputations fade within days.
	fadedAtOnce = 256
)

// updateFactors brings the factors of a node up to date: its reputation, and for a stranger
// what its price counts for. It reports whether one has changed.
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

// weigh brings the factors and the score of a node up to date.
func (t *Table) weigh(id identity.PeerID, now time.Time) {
	n := t.nodes[id]
	if t.updateFactors(id, n, now) && n != nil {
		// It is the setter that scores anew. A factor that makes no score of it leaves
		// the old one.
		_ = t.index.SetLatency(id, t.latency(n))
	}
}

// fadeReputations lets reputations fade.
func (t *Table) fadeReputations(now time.Time) {
	left := fadedAtOnce
	for id := range t.scorer.reputation { // in random order: all have their turn
		if left--; left < 0 {
			return
		}
		t.weigh(id, now)
	}
}

// Record remembers what a node did, beyond this run of the program.
func (t *Table) Record(id identity.PeerID, deed credit.Deed, now time.Time) {
	if t.cfg.Reputation == nil || id == t.cfg.Self {
		return
	}
	t.cfg.Reputation.Note(id, deed, now)
	if t.nodes[id] != nil {
		t.weigh(id, now)
	}
}
