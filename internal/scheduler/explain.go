package scheduler

import (
	"time"

	"inos/internal/identity"
)

// Candidate is a feasible node with the parts of its score.
type Candidate struct {
	Node  Node
	Score float64
	Parts []Part
}

// RuledOut is a node that may not run the job, with every requirement it misses.
type RuledOut struct {
	Node   Node
	Missed []Requirement
}

// MaxRuled bounds Explanation.Ruled.
const MaxRuled = 16

// Explanation says how a decision was reached.
type Explanation struct {
	Considered int // nodes known
	Feasible   int
	RuledOut   map[Requirement]int // a node that misses several counts under each
	// Unlocks counts, for each requirement, the nodes that miss nothing else:
	// relaxing it alone makes them candidates.
	Unlocks map[Requirement]int
	// UnlocksCapability splits Unlocks[NeedCapabilities]: the nodes that miss this
	// one capability and nothing else.
	UnlocksCapability map[string]int
	// UnlocksCost is the lowest price among Unlocks[NeedCost]: a ceiling raised to it
	// lets the job run. 0 when there is none.
	UnlocksCost uint64
	Top         []Candidate // best first; the first one is what Choose returns
	// Ruled lists nodes that a requirement ruled out, at most MaxRuled of them.
	Ruled []RuledOut
	// Why is what decided for the winner: "only candidate", "highest score" or "tie broken by hash
	// of job and node". It is empty without a winner.
	Why string
}

// Explain looks at every node, unlike Choose. It says how many nodes each requirement ruled out and
// which top nodes remain. Errors match ErrRequest.
func (x *Index) Explain(r Request, now time.Time, top int) (Explanation, error) {
	if err := x.prepare(&r, now); err != nil {
		return Explanation{}, err
	}
	e := Explanation{
		Considered: x.Len(),
		RuledOut:   make(map[Requirement]int),
		Unlocks:    make(map[Requirement]int),

		UnlocksCapability: make(map[string]int),
	}
	var ruled, unlocks [len(requirements)]int
	for slot := range x.nodes {
		n := &x.nodes[slot]
		if n.id == "" {
			continue
		}
		missed := x.q.misses(n)
		if missed == 0 {
			e.Feasible++
			continue
		}
		for i := range requirements {
			if missed>>i&1 == 0 {
				continue
			}
			if ruled[i]++; missed == 1<<i {
				unlocks[i]++
				e.unlocked(requirements[i].name, n.cost, x.caps.groups[n.group].names, r.Capabilities)
			}
		}
		if len(e.Ruled) < MaxRuled {
			e.Ruled = append(e.Ruled, RuledOut{Node: x.node(int32(slot)), Missed: missed.names()})
		}
	}
	for i, need := range Requirements {
		if ruled[i] > 0 {
			e.RuledOut[need] = ruled[i]
		}
		if unlocks[i] > 0 {
			e.Unlocks[need] = unlocks[i]
		}
	}
	choices := make([]Choice, max(top, 2))
	k, err := x.TopK(r, now, choices)
	if err != nil {
		return Explanation{}, err
	}
	for _, c := range choices[:min(k, top)] {
		e.Top = append(e.Top, Candidate{Node: c.Node, Score: c.Score, Parts: x.Parts(c.Node)})
	}
	e.Why = why(choices[:k])
	return e, nil
}

// EachBusy calls fn with every node that lacks only a free slot for r, until fn returns false. It
// looks at every node. Errors match ErrRequest.
func (x *Index) EachBusy(r Request, now time.Time, fn func(Node) bool) error {
	if err := x.prepare(&r, now); err != nil {
		return err
	}
	busy := only(NeedSlot)
	for i := range x.nodes {
		n := &x.nodes[i]
		if n.id != "" && x.q.misses(n) == busy && !fn(x.node(int32(i))) {
			break
		}
	}
	return nil
}

// Missing lists the requirements that id misses at time now whatever the job asks for. The list is
// empty for a candidate. known is false when the index does not have id.
func (x *Index) Missing(id identity.PeerID, now time.Time) (missed []Requirement, known bool) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		return nil, false
	}
	if err := x.prepare(&Request{JobID: "any"}, now); err != nil {
		return nil, false
	}
	return x.q.misses(&x.nodes[slot]).names(), true
}

// Parts names the terms of n's score: those of the Scorer and the reduction for failures.
func (x *Index) Parts(n Node) []Part {
	parts := x.scorer.Parts(n)
	if n.Failures > 0 {
		parts = append(parts, Part{"1/(1+failures)", 1 / (1 + n.Failures)})
	}
	return parts
}

// unlocked counts a node that misses only need.
func (e *Explanation) unlocked(need Requirement, cost uint64, has, wants []string) {
	switch need {
	case NeedCost:
		if e.UnlocksCost == 0 || cost < e.UnlocksCost {
			e.UnlocksCost = cost
		}
	case NeedCapabilities:
		if name, n := lacking(has, wants); n == 1 {
			e.UnlocksCapability[name]++
		}
	}
}

func why(c []Choice) string {
	switch {
	case len(c) == 0:
		return ""
	case len(c) == 1:
		return "only candidate"
	case c[0].Score == c[1].Score:
		return "tie broken by hash of job and node"
	}
	return "highest score"
}
