package scheduler

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/identity"
)

// Every requirement has its sentences: one about this node or one about another, and one
// that counts.
func TestEveryRequirementIsSaid(t *testing.T) {
	var names []Requirement
	for _, row := range requirements {
		require.NotContains(t, names, row.name)
		names = append(names, row.name)
		require.NotEqual(t, row.refusal == nil, row.state == "", "%s: what a job asks for, or the state of a node", row.name)
		require.Equal(t, row.state, row.name.State())
		require.NotEmpty(t, row.counted[0], row.name)
		require.NotEmpty(t, row.counted[1], row.name)
		require.Equal(t, needs(1)<<(len(names)-1), only(row.name))
	}
	require.Equal(t, names, Requirements)
}

func TestCounts(t *testing.T) {
	e := Explanation{RuledOut: map[Requirement]int{}}
	for i, need := range Requirements {
		e.RuledOut[need] = 1 + i%2
	}
	require.Equal(t, []string{
		`1 lacks a capability of ["gpu"]`, `2 lie outside "u4"`, "1 costs more than 7 microcredits a second",
		"2 have no free slot", "1 was last heard of too long ago", "2 are excluded by the job", "1 has failed too often lately",
		"2 do not answer", "1 accepts no connections from here, as browsers do not", "2 have never answered",
	}, e.Counts(Request{Capabilities: []string{"gpu"}, GeoPrefix: "u4", MaxCost: 7}))
	require.Empty(t, Explanation{}.Counts(Request{}))
}

// The search finds the nodes that miss nothing in the table, all of them and no other,
// and a node that checks a job itself says the same.
func TestSearchTableAndOfferAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "coarse"),
			rapid.SampledFrom([]int{1, 3, 40, 300}).Draw(t, "size"))
		for range rapid.IntRange(1, 900).Draw(t, "steps") {
			m.step(t)
		}
		for job := range 10 {
			r := randomRequest(m.rng, job, m.size)
			var feasible, found []identity.PeerID
			require.NoError(t, m.x.prepare(&r, m.now))
			for i := range m.x.nodes {
				if n := &m.x.nodes[i]; n.id != "" {
					missed := m.x.q.misses(n).names()
					if len(missed) == 0 {
						feasible = append(feasible, n.id)
					}
					agreesWithOffer(t, m.x.node(int32(i)), r, missed)
				}
			}
			all := make([]Choice, m.size)
			n, err := m.x.TopK(r, m.now, all)
			require.NoError(t, err)
			for _, c := range all[:n] {
				found = append(found, c.Node.ID)
			}
			slices.Sort(feasible)
			slices.Sort(found)
			require.Equal(t, feasible, found, "%+v", r)
		}
	})
}

// agreesWithOffer compares what n says of itself with what is missed of what r asks for.
func agreesWithOffer(t require.TestingT, n Node, r Request, missed []Requirement) {
	o, err := NewOffer(n)
	require.NoError(t, err)
	refusal, err := o.Refusal(r)
	require.NoError(t, err)
	asked := slices.ContainsFunc(missed, func(need Requirement) bool { return need.State() == "" })
	require.Equal(t, asked, refusal != "", "%s of %+v", refusal, missed)
}

func TestRefusals(t *testing.T) {
	n := node("a", 1, 1)
	n.Capabilities, n.GeoHash, n.CreditCost = []string{"simd"}, "u33d", 10
	o, err := NewOffer(n)
	require.NoError(t, err)
	for want, r := range map[string]Request{
		"":                                {Capabilities: []string{"simd"}, GeoPrefix: "u33", MaxCost: 10},
		`this node has no "gpu"`:          {Capabilities: []string{"simd", "gpu"}, GeoPrefix: "9q8"},
		`this node does not lie in "9q8"`: {GeoPrefix: "9q8", MaxCost: 9},
		"this node costs more than the job allows": {MaxCost: 9},
		"the job excludes this node":               {Exclude: []identity.PeerID{"b", n.ID}},
	} {
		r.JobID = "j"
		got, err := o.Refusal(r)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err = o.Refusal(Request{JobID: "j", GeoPrefix: "!"})
	require.ErrorIs(t, err, ErrRequest)
	_, err = NewOffer(Node{ID: "a", GeoHash: "!"})
	require.ErrorIs(t, err, ErrGeoHash)
}

// An offer is asked by many at once.
func TestOfferIsSafe(t *testing.T) {
	o, err := NewOffer(Node{ID: "a", Capabilities: capabilityNames[:4]})
	require.NoError(t, err)
	done := make(chan error)
	for range 4 {
		go func() {
			rng := rand.New(rand.NewPCG(1, 1))
			var err error
			for job := range 100 {
				if _, e := o.Refusal(randomRequest(rng, job, 3)); e != nil {
					err = e
				}
			}
			done <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-done)
	}
}
