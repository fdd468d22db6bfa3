package kernel

import (
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
		m := newMeter(10, 100, func(mesh.Progress) {
			if stand.CompareAndSwap(true, false) { // nothing of the meter goes on
				time.Sleep(30 * time.Second)
			}
		}, func() { dry <- time.Now() })
		start := time.Now()
		m.begin()
		time.Sleep(4500 * time.Millisecond)
		stand.Store(true)
		at := <-dry
		// It stood from the report at 5 s to 35 s, of which a second counts at the next look.
		require.Equal(t, (5+30+4)*time.Second+meterGrain, at.Sub(start))
		began, counted, cost := m.stop()
		require.Equal(t, start, began)
		require.Equal(t, 10*time.Second, counted)
		require.EqualValues(t, 100, cost)
	})
}

// What never began costs nothing, whatever comes late.
func TestMeterThatNeverBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(10, 0, func(mesh.Progress) { t.Error("a report") }, nil)
		m.progress(1, 2)
		began, counted, cost := m.stop()
		require.Zero(t, began)
		require.Zero(t, counted)
		require.Zero(t, cost)
		m.begin()
		m.progress(1, 2)
	})
}
