package scheduler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

func TestAdvice(t *testing.T) {
	x := New(Config{})
	add := func(id string, cost uint64, free uint32, geo string, caps ...string) {
		n := node(id, free, 1)
		n.CreditCost, n.GeoHash, n.Capabilities = cost, geo, caps
		require.NoError(t, x.Upsert(n, epoch0))
	}
	explain := func(r Request) Explanation {
		r.JobID = "j"
		e, err := x.Explain(r, epoch0, 3)
		require.NoError(t, err)
		return e
	}
	require.Equal(t, []string{"no node is known"}, explain(Request{}).Advice())
	add("a", 100, 1, "u4pr", "gpu")
	add("b", 70, 1, "u4pr", "gpu", "simd")
	add("c", 5, 0, "9q8y", "gpu", "simd")
	for _, c := range []struct {
		name string
		r    Request
		want []string
	}{
		{"can run", Request{Capabilities: []string{"gpu"}}, nil},
		{"cost", Request{GeoPrefix: "u4", MaxCost: 50}, []string{
			"relaxing cost alone would let 2 of 3 nodes run it; a ceiling of 70 microcredits a second is enough for one"}},
		{"capability nobody has", Request{Capabilities: []string{"gpu", "quantum"}, GeoPrefix: "u4"}, []string{
			`relaxing capabilities alone would let 2 of 3 nodes run it; without "quantum" 2 would do`}},
		{"slot and place", Request{GeoPrefix: "9q8y"}, []string{
			"relaxing geo alone would let 2 of 3 nodes run it", "relaxing slot alone would let 1 of 3 nodes run it; it waits for a free slot"}},
		{"excluded", Request{Exclude: []identity.PeerID{"node-a", "node-b"}}, []string{
			"relaxing slot alone would let 1 of 3 nodes run it; it waits for a free slot",
			"relaxing excluded alone would let 2 of 3 nodes run it"}},
		{"nothing helps", Request{Capabilities: []string{"quantum"}, MaxCost: 1, GeoPrefix: "zz"}, []string{
			"no single requirement, relaxed, would let it run: every node misses two or more"}},
	} {
		require.Equal(t, c.want, explain(c.r).Advice(), c.name)
	}
	require.Equal(t, "score 1.429: 1000/latencyMs = 100, 1/creditCost = 0.01429", explain(Request{}).Top[0].String())

	// What the advice says holds: relaxed, the job runs.
	_, err := x.Choose(Request{JobID: "j", GeoPrefix: "u4", MaxCost: 70}, epoch0)
	require.NoError(t, err)
	_, err = x.Choose(Request{JobID: "j", Capabilities: []string{"gpu"}, GeoPrefix: "u4"}, epoch0)
	require.NoError(t, err)
}
