package bridge

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/kernel/placement"
	"inos/internal/scheduler"
)

func TestExplanationInWords(t *testing.T) {
	names := map[identity.PeerID]string{"n1": "Nele", "n2": "Otto"}
	top := []scheduler.Candidate{{Node: scheduler.Node{ID: "n1"}, Score: 3}, {Node: scheduler.Node{ID: "n2"}, Score: 2}}
	ran := placement.Decision{Counted: true, Explanation: scheduler.Explanation{
		Considered: 3, Feasible: 2, RuledOut: map[scheduler.Requirement]int{scheduler.NeedCost: 1}, Top: top, Why: "highest score",
	}}
	v := explanation("j", ran, names, "n1")
	require.Equal(t, "3 nodes known, 2 could run it; 1 ruled out by cost. Chosen: Nele (highest score)", v.Summary)
	require.Equal(t, "highest score", v.Considered[0].Reason)

	// Of a large mesh only the best are known: nothing is said of the rest.
	large := placement.Decision{Explanation: scheduler.Explanation{Considered: 3000, Top: top, Why: "highest score"}}
	v = explanation("j", large, names, "n1")
	require.Equal(t, "3000 nodes known, more than a placement takes the time to count. Chosen: Nele (highest score)", v.Summary)
	require.Len(t, v.Considered, 2)

	nobody := placement.Decision{Counted: true, Explanation: scheduler.Explanation{
		Considered: 3000, RuledOut: map[scheduler.Requirement]int{scheduler.NeedCost: 3000},
		Unlocks: map[scheduler.Requirement]int{scheduler.NeedCost: 5}, UnlocksCost: 12,
	}}
	v = explanation("j", nobody, names, "")
	require.Equal(t, "3000 nodes known, 0 could run it; 3000 ruled out by cost. Relaxing cost alone would let 5 of 3000 nodes run it; "+
		"a ceiling of 12 microcredits a second is enough for one", v.Summary)

	f := foreign(kernel.JobInfo{ID: "j", From: "n2", Node: "n1"}, names)
	require.Equal(t, "Dispatched by Otto, which chose Nele and knows why", f.Summary)
}
