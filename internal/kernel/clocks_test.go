package kernel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/clock"
	"inos/internal/mesh"
	"inos/internal/scheduler"
)

func peersAhead(now time.Time, ahead ...time.Duration) (peers []mesh.Peer) {
	for _, d := range ahead {
		peers = append(peers, mesh.Peer{Clock: clock.Offset{Ahead: d, At: now}})
	}
	return append(peers, mesh.Peer{}) // one that has not been measured
}

// A machine's clock is compared with the middle one of the peers', so that one of them whose
// clock is wrong makes no other one seem so.
func TestClocks(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		theirs []time.Duration
		want   Clocks
		text   string
	}{
		{nil, Clocks{}, "this machine's clock is 0s ahead of 0 of 0 peers"},
		{[]time.Duration{-100 * time.Second, -100 * time.Second, -99 * time.Second}, Clocks{100 * time.Second, 3, 3},
			"this machine's clock is 1m40s ahead of 3 of 3 peers"},
		{[]time.Duration{time.Hour, time.Hour, 0}, Clocks{-time.Hour, 3, 2}, "this machine's clock is 1h0m0s behind 2 of 3 peers"},
		{[]time.Duration{0, 48 * time.Hour, time.Second}, Clocks{-time.Second, 3, 1}, "this machine's clock is 1s behind 1 of 3 peers"},
		{[]time.Duration{-20 * time.Second}, Clocks{20 * time.Second, 1, 0}, "this machine's clock is 20s ahead of 0 of 1 peers"},
	} {
		got := compareClocks(peersAhead(now, c.theirs...), now)
		require.Equal(t, c.want, got)
		require.Equal(t, c.text, got.String())
		require.Equal(t, c.want.Ahead.Abs() > time.Minute, got.Wrong())
	}
}

// Who finds no node is told that the clock may be why.
func TestNobodySpeaksOfTheClock(t *testing.T) {
	e := &NobodyError{Err: scheduler.ErrNoCandidate, Joined: true, Peers: 3, Clocks: Clocks{100 * time.Second, 3, 3}}
	require.ErrorContains(t, e, "this machine's clock is 1m40s ahead of 3 of 3 peers: set it right")
	e.Clocks = Clocks{20 * time.Second, 3, 0}
	require.NotContains(t, e.Error(), "clock")
}
