package scheduler

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

type peerID = identity.PeerID

// fixed is a Scorer that says what it is told.
type fixed float64

func (f fixed) Score(Node) float64 { return float64(f) }
func (f fixed) Parts(Node) []Part  { return nil }

func TestBadNodesAreRefused(t *testing.T) {
	good := node("a", 1, 5)
	good.Capabilities, good.GeoHash = []string{"gpu"}, "u4pruydqqvj"
	cases := map[string]struct {
		change func(*Node)
		want   error
	}{
		"no id":               {func(n *Node) { n.ID = "" }, ErrNodeID},
		"long id":             {func(n *Node) { n.ID = peerID(strings.Repeat("x", 129)) }, ErrNodeID},
		"negative latency":    {func(n *Node) { n.Latency = -1 }, ErrLatency},
		"geohash letter":      {func(n *Node) { n.GeoHash = "u4a" }, ErrGeoHash}, // no "a" in base32
		"geohash case":        {func(n *Node) { n.GeoHash = "U4P" }, ErrGeoHash},
		"geohash long":        {func(n *Node) { n.GeoHash = strings.Repeat("u", 13) }, ErrGeoHash},
		"geohash unicode":     {func(n *Node) { n.GeoHash = "ü4" }, ErrGeoHash},
		"empty capability":    {func(n *Node) { n.Capabilities = []string{"gpu", ""} }, ErrCapabilities},
		"long capability":     {func(n *Node) { n.Capabilities = []string{strings.Repeat("x", 65)} }, ErrCapabilities},
		"many capabilities":   {func(n *Node) { n.Capabilities = make([]string, 65) }, ErrCapabilities},
		"expired":             {func(n *Node) { n.Expires = epoch0 }, ErrExpired},
		"never valid":         {func(n *Node) { n.Expires = time.Time{} }, ErrExpired},
		"replayed":            {func(n *Node) { n.Sequence = 4 }, ErrReplayed},
		"replayed and better": {func(n *Node) { n.Sequence, n.Latency = 0, 0 }, ErrReplayed},
	}
	x := New(Config{})
	require.NoError(t, x.Upsert(good, epoch0))
	before, _ := x.Node(good.ID)
	for name, c := range cases {
		bad := good
		bad.Sequence = 6
		c.change(&bad)
		require.ErrorIs(t, x.Upsert(bad, epoch0), c.want, name)
		after, _ := x.Node(good.ID)
		require.Equal(t, before, after, name)
		require.Equal(t, 1, x.Len(), name)
		x.checkInvariants(t)
	}
	require.ErrorIs(t, x.SetLatency(good.ID, -1), ErrLatency)
	require.ErrorIs(t, x.SetLatency("nobody", 1), ErrUnknownNode)

	for _, s := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0} {
		require.ErrorIs(t, New(Config{Scorer: fixed(s)}).Upsert(good, epoch0), ErrScore, "%v", s)
	}
	small := New(Config{MaxNodes: 1})
	require.NoError(t, small.Upsert(good, epoch0))
	require.ErrorIs(t, small.Upsert(node("b", 1, 1), epoch0), ErrFull)
	require.NoError(t, small.Upsert(good, epoch0), "a known one still goes in")
}

func TestBadRequestsAreRefused(t *testing.T) {
	x := New(Config{})
	require.NoError(t, x.Upsert(node("a", 1, 1), epoch0))
	for name, r := range map[string]Request{
		"no job":            {},
		"geohash":           {JobID: "j", GeoPrefix: "a"},
		"many capabilities": {JobID: "j", Capabilities: make([]string, 65)},
		"many excluded":     {JobID: "j", Exclude: make([]peerID, MaxExclude+1)},
	} {
		_, err := x.Choose(r, epoch0)
		require.ErrorIs(t, err, ErrRequest, name)
		_, err = x.Explain(r, epoch0, 3)
		require.ErrorIs(t, err, ErrRequest, name)
	}
}

func TestClampsOfTheFormula(t *testing.T) {
	for _, c := range []struct {
		latency time.Duration
		cost    uint64
		want    float64
	}{
		{10 * time.Millisecond, 5, 20},
		{0, 1, 10_000}, // 0.1 ms
		{99 * time.Microsecond, 1, 10_000},
		{time.Millisecond, 0, 1000}, // 1 microcredit
		{math.MaxInt64, math.MaxUint64, 1000 / (float64(math.MaxInt64) / 1e6) * (1 / float64(uint64(math.MaxUint64)))},
	} {
		got := Formula{}.Score(Node{Latency: c.latency, CreditCost: c.cost})
		require.Equal(t, c.want, got)
		product := 1.0
		for _, p := range (Formula{}).Parts(Node{Latency: c.latency, CreditCost: c.cost}) {
			product *= p.Value
		}
		require.Equal(t, got, product, "the parts make the score")
	}
	// The extremes can be indexed.
	x := New(Config{})
	far := node("far", 1, 1)
	far.Latency, far.CreditCost, far.Expires = math.MaxInt64, math.MaxUint64, time.Unix(1<<60, 0)
	require.NoError(t, x.Upsert(far, epoch0))
	c, err := x.Choose(Request{JobID: "j"}, epoch0)
	require.NoError(t, err)
	require.Equal(t, far.ID, c.Node.ID)
}
