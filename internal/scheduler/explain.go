package scheduler

import (
	"slices"
	"time"

	"inos/internal/identity"
)

// Requirement names what can rule a node out.
type Requirement string

// The requirements, in the order in which a node is checked.
const (
	NeedCapabilities Requirement = "capabilities"
	NeedGeo          Requirement = "geo"
	NeedCost         Requirement = "cost"
	NeedSlot         Requirement = "slot"
	NeedUnexpired    Requirement = "expiry"
	NeedNotExcluded  Requirement = "excluded"
	NeedTrust        Requirement = "quarantine"  // it failed too often not long ago
	NeedReach        Requirement = "unreachable" // nothing could be sent to it not long ago
	NeedDial         Requirement = "undialable"  // no way leads to it from here: it accepts no connections
	NeedAnswer       Requirement = "unheard"     // it has never answered here
)

// Requirements lists them all.
var Requirements = [...]Requirement{
	NeedCapabilities, NeedGeo, NeedCost, NeedSlot, NeedUnexpired, NeedNotExcluded, NeedTrust,
	NeedReach, NeedDial, NeedAnswer,
}

// Candidate is a feasible node with the parts of its score.
type Candidate struct {
	Node  Node
	Score float64
	Parts []Part
}

// RuledOut is a node that may not run the job and every requirement it misses.
type RuledOut struct {
	Node   Node
	Missed []Requirement
}

// MaxRuled bounds Explanation.Ruled.
const MaxRuled = 16

// Explanation says how a decision comes about.
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
	// Why is what set the winner apart: "only candidate", "highest score" or "tie
	// broken by hash of job and node"; empty without a winner.
	Why string
}

// Explain looks at every node, which Choose does not, and says what each
// requirement ruled out and which top nodes remain. Errors match ErrRequest.
func (x *Index) Explain(r Request, now time.Time, top int) (Explanation, error) {
	known, err := x.prepare(r, now)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{
		Considered: x.Len(),
		RuledOut:   make(map[Requirement]int),
		Unlocks:    make(map[Requirement]int),

		UnlocksCapability: make(map[string]int),
	}
	excluded := make(map[identity.PeerID]bool, len(r.Exclude))
	for _, id := range r.Exclude {
		excluded[id] = true
	}
	var ruled, unlocks [len(Requirements)]int
	for slot := range x.nodes {
		n := &x.nodes[slot]
		if n.id == "" {
			continue
		}
		missed := x.missed(n, known, excluded[n.id], now)
		misses, last := 0, 0
		for i, miss := range missed {
			if miss {
				ruled[i]++
				misses, last = misses+1, i
			}
		}
		switch misses {
		case 0:
			e.Feasible++
			continue
		case 1:
			unlocks[last]++
			e.unlocked(Requirements[last], n.cost, x.caps.groups[n.group].names, r.Capabilities)
		}
		if len(e.Ruled) < MaxRuled {
			e.Ruled = append(e.Ruled, RuledOut{Node: x.node(int32(slot)), Missed: namesOf(missed)})
		}
	}
	for i, r := range Requirements {
		if ruled[i] > 0 {
			e.RuledOut[r] = ruled[i]
		}
		if unlocks[i] > 0 {
			e.Unlocks[r] = unlocks[i]
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

// missed is what n misses for the request that has been prepared, in the order of Requirements.
func (x *Index) missed(n *record, known, excluded bool, now time.Time) (missed [len(Requirements)]bool) {
	missed[0] = !known || !x.groupFits(n.group)
	missed[1] = !n.geo.within(x.q.geo)
	missed[2] = n.cost > x.q.cursor.f.maxCost
	missed[3] = n.available() == 0 && n.trust != quarantined && n.reach != unreachable
	missed[4] = n.expires <= x.line.Nanos(now)
	missed[5] = excluded
	missed[6] = n.trust == quarantined
	missed[7] = n.reach == unreachable
	missed[8] = n.way&undialable != 0
	missed[9] = n.way&unheard != 0
	return missed
}

// EachBusy calls fn with every node that misses nothing for r but a free slot, until fn
// returns false. It looks at every node. Errors match ErrRequest.
func (x *Index) EachBusy(r Request, now time.Time, fn func(Node) bool) error {
	known, err := x.prepare(r, now)
	if err != nil {
		return err
	}
	var slot [len(Requirements)]bool
	slot[3] = true
	for i := range x.nodes {
		n := &x.nodes[i]
		if n.id != "" && x.missed(n, known, slices.Contains(r.Exclude, n.id), now) == slot && !fn(x.node(int32(i))) {
			break
		}
	}
	return nil
}

// Missing lists what keeps id from any job at time now, whatever the job asks for; empty
// for a candidate. false when id is not known.
func (x *Index) Missing(id identity.PeerID, now time.Time) (missed []Requirement, known bool) {
	slot, ok := x.ids.find(x.nodes, id)
	if !ok {
		return nil, false
	}
	n := &x.nodes[slot]
	for _, m := range []struct {
		need Requirement
		miss bool
	}{
		{NeedDial, n.way&undialable != 0}, {NeedAnswer, n.way&unheard != 0}, {NeedReach, n.reach == unreachable}, {NeedTrust, n.trust == quarantined},
		{NeedSlot, n.available() == 0 && n.trust != quarantined && n.reach != unreachable}, {NeedUnexpired, n.expires <= x.line.Nanos(now)},
	} {
		if m.miss {
			missed = append(missed, m.need)
		}
	}
	return missed, true
}

// Parts names the terms of n's score: the Scorer's, and what failures took off.
func (x *Index) Parts(n Node) []Part {
	parts := x.scorer.Parts(n)
	if n.Failures > 0 {
		parts = append(parts, Part{"1/(1+failures)", 1 / (1 + n.Failures)})
	}
	return parts
}

// unlocked notes a node that misses nothing but need.
func (e *Explanation) unlocked(need Requirement, cost uint64, has, wants []string) {
	switch need {
	case NeedCost:
		if e.UnlocksCost == 0 || cost < e.UnlocksCost {
			e.UnlocksCost = cost
		}
	case NeedCapabilities:
		missing, count := "", 0
		for i, name := range wants {
			if !slices.Contains(has, name) && !slices.Contains(wants[:i], name) {
				missing = name
				count++
			}
		}
		if count == 1 {
			e.UnlocksCapability[missing]++
		}
	}
}

func namesOf(missed [len(Requirements)]bool) (names []Requirement) {
	for i, miss := range missed {
		if miss {
			names = append(names, Requirements[i])
		}
	}
	return names
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
