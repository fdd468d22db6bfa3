package scheduler

import (
	"fmt"
	"math/bits"
	"slices"

	"inos/internal/identity"
)

// Request is what a job requires of a node. Every requirement is hard.
type Request struct {
	JobID        string // decides between equal scores
	Capabilities []string
	GeoPrefix    string            // empty means anywhere
	MaxCost      uint64            // microcredits per second; 0 means no ceiling
	Exclude      []identity.PeerID // never chosen; unknown ids are ignored
	Known        bool              // only nodes that are proven
}

// alike reports whether the same nodes meet the requirements of a and b.
func alike(a, b Request) bool {
	return a.GeoPrefix == b.GeoPrefix && a.MaxCost == b.MaxCost && a.Known == b.Known &&
		slices.Equal(a.Capabilities, b.Capabilities) && slices.Equal(a.Exclude, b.Exclude)
}

// Requirement names a condition that can rule a node out.
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
	NeedDial         Requirement = "undialable"  // this node cannot reach it: it accepts no connections
	NeedAnswer       Requirement = "unheard"     // it has never answered this node
)

// Requirements lists them all.
var Requirements = func() (all []Requirement) {
	for i := range requirements {
		all = append(all, requirements[i].name)
	}
	return all
}()

// requirement is a row of the table that choosing, explaining and serving share. The search calls
// the same functions as misses, so that a node is feasible exactly when it misses nothing.
type requirement struct {
	name   Requirement
	misses func(q *query, n *record) bool
	// refusal is the answer of a node that receives a job although it misses this requirement. A
	// row without one concerns the state of the node, whatever the job asks for.
	refusal func(n *Node, r *Request) string
	state   string // describes a node that misses this; empty in a row with a refusal
	// counted ends "1 node ..." and "2 nodes ..."; asked, if not empty, ends both.
	counted [2]string
	asked   func(r *Request) string
	// relief says what would let the nodes that miss only this run the job; it may be empty.
	relief func(e *Explanation) string
}

// requirements is the table, in the order of checking.
var requirements = [...]requirement{
	{
		name:   NeedCapabilities,
		misses: func(q *query, n *record) bool { return !q.known || q.lacks(n.group) },
		refusal: func(n *Node, r *Request) string {
			name, _ := lacking(n.Capabilities, r.Capabilities)
			return fmt.Sprintf("this node has no %q", name)
		},
		counted: [2]string{"lacks", "lack"},
		asked:   func(r *Request) string { return fmt.Sprintf(" a capability of %q", r.Capabilities) },
		relief:  (*Explanation).capabilityRelief,
	},
	{
		name:    NeedGeo,
		misses:  func(q *query, n *record) bool { return q.outside(n.geo) },
		refusal: func(_ *Node, r *Request) string { return fmt.Sprintf("this node does not lie in %q", r.GeoPrefix) },
		counted: [2]string{"lies", "lie"},
		asked:   func(r *Request) string { return fmt.Sprintf(" outside %q", r.GeoPrefix) },
	},
	{
		name:    NeedCost,
		misses:  func(q *query, n *record) bool { return n.dearer(q.cursor.f) },
		refusal: func(*Node, *Request) string { return "this node costs more than the job allows" },
		counted: [2]string{"costs", "cost"},
		asked:   func(r *Request) string { return fmt.Sprintf(" more than %d microcredits a second", r.MaxCost) },
		relief: func(e *Explanation) string {
			return fmt.Sprintf("; a ceiling of %d microcredits a second is enough for one", e.UnlocksCost)
		},
	},
	{
		name:    NeedSlot,
		misses:  func(_ *query, n *record) bool { return n.full() },
		state:   "no free slot",
		counted: [2]string{"has no free slot", "have no free slot"},
		relief:  says("; it waits for a free slot"),
	},
	{
		name:    NeedUnexpired,
		misses:  func(q *query, n *record) bool { return n.expired(q.cursor.f) },
		state:   "its profile has expired",
		counted: [2]string{"was last heard of too long ago", "were last heard of too long ago"},
	},
	{
		name:    NeedNotExcluded,
		misses:  func(q *query, n *record) bool { return q.excludes(n) },
		refusal: func(*Node, *Request) string { return "the job excludes this node" },
		counted: [2]string{"is excluded by the job", "are excluded by the job"},
	},
	{
		name:    NeedTrust,
		misses:  func(_ *query, n *record) bool { return n.trust == quarantined },
		state:   "in quarantine: it failed too often not long ago",
		counted: [2]string{"has failed too often lately", "have failed too often lately"},
		relief:  says("; it waits for the end of a quarantine"),
	},
	{
		name:    NeedReach,
		misses:  func(_ *query, n *record) bool { return n.reach == unreachable },
		state:   "nothing could be sent to it not long ago",
		counted: [2]string{"does not answer", "do not answer"},
		relief:  says("; they did not answer, and are tried again within 30 s"),
	},
	{
		name:    NeedDial,
		misses:  func(_ *query, n *record) bool { return n.way&undialable != 0 },
		state:   "cannot be dialled from here, and is not connected",
		counted: [2]string{"accepts no connections from here, as browsers do not", "accept no connections from here, as browsers do not"},
		relief:  says("; they accept no connections, as browsers do not, and have to connect to this node"),
	},
	{
		name:    NeedAnswer,
		misses:  func(_ *query, n *record) bool { return n.way&unheard != 0 },
		state:   "has never answered here",
		counted: [2]string{"has never answered", "have never answered"},
		relief:  says("; they are only told of so far, and may run jobs once they answer"),
	},
}

func says(text string) func(*Explanation) string { return func(*Explanation) string { return text } }

// State describes, for people, a node that misses r whatever the job asks for. It is empty for a
// requirement that depends on the job.
func (r Requirement) State() string {
	for i := range requirements {
		if requirements[i].name == r {
			return requirements[i].state
		}
	}
	return ""
}

// needs is a set of requirements, as bits by their place in the table.
type needs uint32

// misses returns the requirements that n misses for the current request.
func (q *query) misses(n *record) (m needs) {
	for i := range requirements {
		if requirements[i].misses(q, n) {
			m |= 1 << i
		}
	}
	return m
}

// only returns the set that holds r alone.
func only(r Requirement) needs {
	return 1 << slices.IndexFunc(requirements[:], func(row requirement) bool { return row.name == r })
}

func (m needs) names() []Requirement {
	if m == 0 {
		return nil
	}
	names := make([]Requirement, 0, bits.OnesCount64(uint64(m)))
	for i := range requirements {
		if m>>i&1 != 0 {
			names = append(names, requirements[i].name)
		}
	}
	return names
}

// lacking counts the names in wants that has does not hold, each once. last is the last of them.
func lacking(has, wants []string) (last string, n int) {
	for i, name := range wants {
		if !slices.Contains(has, name) && !slices.Contains(wants[:i], name) {
			last, n = name, n+1
		}
	}
	return last, n
}
