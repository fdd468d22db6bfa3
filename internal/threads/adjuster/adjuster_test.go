package adjuster

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// record is a Listener that remembers.
type record struct {
	mu sync.Mutex
	heard
}

type heard struct {
	throttles  []Throttle
	fidelities []Fidelity
}

func (r *record) get() heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard
}

func (r *record) Throttled(t Throttle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.throttles = append(r.throttles, t)
}

func (r *record) Fidelity(f Fidelity, _ time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fidelities = append(r.fidelities, f)
}

func serve(t *testing.T, c Config) *Adjuster {
	a := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return a
}

func TestThrottleClosesFastAndOpensSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		a := serve(t, Config{Listener: r})
		require.NoError(t, a.Capsule("c", true))
		pass(600 * time.Millisecond) // two holds
		require.NoError(t, a.Capsule("c", false))
		synctest.Wait()
		levels := []float64{}
		for _, th := range r.get().throttles {
			levels = append(levels, th.Level)
		}
		require.Equal(t, []float64{0.5, 0.25, 0.125}, levels)
		pass(499 * time.Millisecond)
		require.Len(t, r.get().throttles, 3, "nothing opens before Clear has passed")
		pass(10 * time.Second)
		last := r.get().throttles[len(r.get().throttles)-1]
		require.Equal(t, 1.0, last.Level)
		require.True(t, math.IsInf(last.Rate, 1))
		require.Len(t, r.get().throttles, 3+7, "0.25, 0.375, ... 1")
		require.Equal(t, []Fidelity{Reduced, Full}, r.get().fidelities)
	})
}

func TestFlappingDoesNotReopenTheValve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		a := serve(t, Config{Listener: r})
		for range 100 {
			require.NoError(t, a.Capsule("c", true))
			pass(50 * time.Millisecond)
			require.NoError(t, a.Capsule("c", false))
			pass(50 * time.Millisecond)
		}
		for i := 1; i < len(r.get().throttles); i++ {
			require.Less(t, r.get().throttles[i].Level, r.get().throttles[i-1].Level, "closes only, while it flaps faster than Clear")
		}
		require.Equal(t, 1.0/64, r.get().throttles[len(r.get().throttles)-1].Level)
	})
}

func TestValveThrottlesTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := serve(t, Config{Listener: &record{}})
		v := a.Valve("c")
		start := time.Now()
		for range 10 { // 4 MB/s for 10 s, unhindered
			require.NoError(t, v.Wait(t.Context(), 4_000_000))
			pass(time.Second)
		}
		require.Equal(t, 10*time.Second, time.Since(start), "an open valve takes no time")
		require.NoError(t, a.Capsule("c", true))
		pass(300 * time.Millisecond) // level 1/4 by now
		level, rate := v.Level()
		require.Equal(t, 0.25, level)
		require.InDelta(t, 1_000_000, rate, 2_000)
		require.NoError(t, a.Capsule("c", true))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, v.Wait(ctx, 10_000_000), "the deadline would pass first")
		require.NoError(t, a.Gone("c"))
		synctest.Wait()
		start = time.Now()
		require.NoError(t, v.Wait(t.Context(), 10_000_000))
		require.Zero(t, time.Since(start))
		cancelled, stop := context.WithCancel(t.Context())
		stop()
		require.True(t, errors.Is(v.Wait(cancelled, 1), context.Canceled))
	})
}

func TestFidelityFallsAtOnceAndRisesAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		a := serve(t, Config{Listener: r})
		require.NoError(t, a.Host(Host{Visible: false}))
		synctest.Wait()
		require.Equal(t, []Fidelity{Minimal}, r.get().fidelities)
		require.NoError(t, a.Host(Host{Visible: true}))
		pass(1900 * time.Millisecond)
		require.Len(t, r.get().fidelities, 1)
		require.NoError(t, a.Host(Host{Visible: true, BatteryLow: true})) // breaks the wait
		pass(time.Second)
		require.NoError(t, a.Host(Host{Visible: true}))
		pass(1900 * time.Millisecond)
		require.Len(t, r.get().fidelities, 1)
		pass(200 * time.Millisecond)
		require.Equal(t, []Fidelity{Minimal, Full}, r.get().fidelities)
		require.Less(t, Full.Every(), Minimal.Every())
	})
}

// Whatever is told in whatever order: levels stay within bounds, and once it has
// been quiet for long every valve is open.
func TestAlwaysReopens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type act struct {
			capsule   string
			congested bool
			pause     time.Duration
		}
		acts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) act {
			return act{
				rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "capsule"),
				rapid.Bool().Draw(rt, "congested"),
				time.Duration(rapid.IntRange(0, 2000).Draw(rt, "ms")) * time.Millisecond,
			}
		}), 1, 50).Draw(rt, "acts")
		synctest.Test(t, func(t *testing.T) {
			r := &record{}
			a := serve(t, Config{Listener: r})
			for _, x := range acts {
				require.NoError(t, a.Capsule(x.capsule, x.congested))
				pass(x.pause)
			}
			for _, id := range []string{"a", "b", "c"} {
				require.NoError(t, a.Capsule(id, false))
			}
			pass(10 * time.Second)
			for _, id := range []string{"a", "b", "c"} {
				level, _ := a.Valve(id).Level()
				require.Equal(t, 1.0, level)
			}
			for _, th := range r.get().throttles {
				require.True(t, th.Level >= 1.0/64 && th.Level <= 1)
			}
		})
	})
}

// pass lets d go by, and what is due by then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
