package lifecycle

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
)

// A node that stood still has not worked meanwhile: neither what it bills nor what it ends a
// run for is the time that went by.
func TestMeterOfANodeThatStoodStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stand atomic.Bool
		dry := make(chan time.Time, 1)
		m := NewMeter(10, 100, func(mesh.Progress) {
			if stand.CompareAndSwap(true, false) { // nothing of the meter goes on
				time.Sleep(30 * time.Second)
			}
		}, func() { dry <- time.Now() })
		start := time.Now()
		m.Begin()
		time.Sleep(4500 * time.Millisecond)
		stand.Store(true)
		at := <-dry
		// It stood from the report at 5 s to 35 s, of which a second counts at the next look.
		require.Equal(t, (5+30+4)*time.Second+sampleEvery, at.Sub(start))
		began, counted, cost := m.Stop()
		require.Equal(t, start, began)
		require.Equal(t, 10*time.Second, counted)
		require.EqualValues(t, 100, cost)
	})
}

// What never began costs nothing, whatever comes late.
func TestMeterThatNeverBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(10, 0, func(mesh.Progress) { t.Error("a report") }, nil)
		m.Progress(1, 2)
		began, counted, cost := m.Stop()
		require.Zero(t, began)
		require.Zero(t, counted)
		require.Zero(t, cost)
		m.Begin()
		m.Progress(1, 2)
	})
}

func TestRunCost(t *testing.T) {
	for _, c := range []struct {
		rate uint64
		run  time.Duration
		want uint64
	}{
		{10, time.Second, 10},
		{10, time.Second + 1, 11},
		{10, 2500 * time.Millisecond, 25},
		{5, 2500 * time.Millisecond, 13},
		{1, time.Nanosecond, 1},
		{0, time.Hour, 1},
		{1, -time.Hour, 1},
		{math.MaxUint64, 2 * time.Second, math.MaxUint64},
		{math.MaxUint64, time.Second, math.MaxUint64},
		{1 << 40, math.MaxInt64, math.MaxUint64},
		{1 << 30, math.MaxInt64, 9_903_520_314_283_042_199},
	} {
		m := NewMeter(c.rate, 0, nil, nil)
		m.counted = c.run
		require.Equal(t, c.want, m.cost(), "%d for %v", c.rate, c.run)
	}
	// Whatever runs as long as its budget lasts costs no more than the budget.
	for _, rate := range []uint64{1, 3, 7, 999, 1 << 30} {
		for _, budget := range []uint64{1, 2, 5, 1000, 123_456_789} {
			m := NewMeter(rate, budget, nil, nil)
			m.counted = m.price.Lasts()
			unbounded := NewMeter(rate, 0, nil, nil)
			unbounded.counted = m.counted
			require.LessOrEqual(t, unbounded.cost(), budget, "%d at %d", budget, rate)
			require.LessOrEqual(t, m.next(), time.Duration(0), "it is used up")
		}
	}
}
