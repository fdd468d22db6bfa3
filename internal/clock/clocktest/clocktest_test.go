package clocktest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The wall clock moves, in the past and up to 2100, and the monotonic one does not.
func TestOnlyTheWallMoves(t *testing.T) {
	check := func() {
		base := time.Now()
		for _, d := range []time.Duration{20 * time.Second, -100 * time.Second, time.Hour, -48 * time.Hour, 74 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour} {
			got := shift(base, int64(d/time.Second))
			require.Equal(t, d, got.Round(0).Sub(base.Round(0)))
			require.Zero(t, got.Sub(base), "by the monotonic clock it is the same moment")
			require.Equal(t, base.Nanosecond(), got.Nanosecond())
			require.Equal(t, time.Second, got.Add(time.Second).Sub(base))
		}
	}
	check()
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, time.Now(), New(0).Now())
		require.Panics(t, func() { New(time.Hour).Now() })
	})
	w := New(time.Hour)
	require.InDelta(t, time.Hour.Seconds(), w.Now().Round(0).Sub(time.Now().Round(0)).Seconds(), 5)
	w.Set(0)
	require.Zero(t, w.Ahead())
}
