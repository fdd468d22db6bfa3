package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/scheduler"
)

func TestNear(t *testing.T) {
	s, err := scorer("")
	require.NoError(t, err)
	require.Nil(t, s)
	s, err = scorer("u33db:500")
	require.NoError(t, err)
	here := scheduler.Node{GeoHash: "u33db", CreditCost: 1, Latency: scheduler.MinLatency}
	far := here
	far.GeoHash = "9q8yy" // the other side of an ocean
	require.Greater(t, s.Score(here), 5*s.Score(far))
	for _, bad := range []string{"u33db", "u33db:", "u33db:far", "u33db:0", "u33db:-5", "u33db:NaN", "not a geohash:5", ":5"} {
		_, err := scorer(bad)
		require.Error(t, err, bad)
	}
}
