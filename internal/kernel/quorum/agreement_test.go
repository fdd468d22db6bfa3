package quorum

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/identity"
)

func peer(n byte) identity.PeerID { return identity.PeerID(fmt.Sprint("node", n)) }

func TestAgreement(t *testing.T) {
	for _, bad := range [][2]int{{0, 1}, {1, 2}, {2, 4}, {3, 2}, {40, 65}} {
		_, err := NewAgreement(bad[0], bad[1])
		require.ErrorIs(t, err, ErrNoMajority)
	}
	a, err := NewAgreement(2, 3)
	require.NoError(t, err)
	require.Equal(t, Open, a.Add(Vote{peer(1), "x"}))
	require.Equal(t, Open, a.Add(Vote{peer(1), "x"}), "a node votes once")
	require.Equal(t, Open, a.Add(Vote{peer(2), "y"}))
	require.Empty(t, a.Output())
	require.Equal(t, Agreed, a.Add(Vote{peer(3), "x"}))
	require.Equal(t, "x", a.Output())
	a, _ = NewAgreement(2, 3)
	a.Add(Vote{peer(1), ""})
	a.Add(Vote{peer(2), "x"})
	require.Equal(t, Disputed, a.Add(Vote{peer(3), "y"}))
}

// For any votes: at most one output wins, with at least k votes, and the verdict
// never changes once it is not Open.
func TestAgreementProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "n")
		k := rapid.IntRange(n/2+1, n).Draw(t, "k")
		a, err := NewAgreement(k, n)
		require.NoError(t, err)
		last := Open
		for range rapid.IntRange(0, 12).Draw(t, "votes") {
			v := a.Add(Vote{peer(rapid.ByteRange(1, 12).Draw(t, "node")), rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "cid")})
			if last != Open {
				require.Equal(t, last, v)
			}
			last = v
			require.Equal(t, v == Agreed, a.Output() != "")
			if v == Agreed {
				require.GreaterOrEqual(t, a.count(a.Output()), k)
			}
		}
	})
}

func TestSpread(t *testing.T) {
	sites := []Site{{Node: "a", GeoHash: "u33d"}, {Node: "b", GeoHash: "u33d"}, {Node: "c", GeoHash: "u1xx", Owner: "o"},
		{Node: "d", GeoHash: "gcpv", Owner: "o"}, {Node: "e", GeoHash: "9q8y"}}
	require.Equal(t, []Site{sites[0], sites[2], sites[4]}, Spread(sites, 3, 3))
	require.Equal(t, []Site{sites[0], sites[2], sites[4], sites[1]}, Spread(sites, 5, 3))
	require.Empty(t, Spread(nil, 3, 3))
}
