package adjuster

import (
	"context"
	"errors"
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

func TestTheValveFollowsTheCapsule(t *testing.T) {
	a := New(Config{Listener: &record{}}) // not even served
	v := a.Valve("c")
	require.NoError(t, v.Wait(t.Context()), "an open valve takes no time")
	require.NoError(t, a.Capsule("c", true))
	require.False(t, v.Open())
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("over"))
	require.EqualError(t, v.Wait(ended), "over")
	require.True(t, a.Valve("other").Open())
	require.NoError(t, a.Capsule("c", false))
	require.NoError(t, v.Wait(t.Context()))

	why := errors.New("killed")
	require.NoError(t, a.Capsule("c", true))
	require.NoError(t, a.Gone("c", why))
	<-v.Ended()
	require.ErrorIs(t, v.Wait(t.Context()), why)
	require.ErrorIs(t, v.Err(), why)
	next := a.Valve("c")
	require.NoError(t, next.Wait(t.Context()), "the next capsule of that name is another")
}

// Whoever waits at a shut valve waits for the capsule, not for a clock.
func TestWaitersPassWhenItOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		a := serve(t, Config{Listener: r})
		v := a.Valve("c")
		require.NoError(t, a.Capsule("c", true))
		passed := make(chan time.Time, 2)
		for range 2 {
			go func() {
				if v.Wait(context.Background()) == nil {
					passed <- time.Now()
				}
			}()
		}
		pass(time.Hour)
		require.Empty(t, passed)
		require.NoError(t, a.Capsule("c", false))
		now := time.Now()
		require.Equal(t, now, <-passed)
		require.Equal(t, now, <-passed)

		require.NoError(t, a.Capsule("c", true))
		waits := make(chan error, 1)
		go func() { waits <- v.Wait(context.Background()) }()
		synctest.Wait()
		why := errors.New("killed")
		require.NoError(t, a.Gone("c", why))
		require.ErrorIs(t, <-waits, why)
	})
}

// A simulated capsule takes frames at its own pace and says when it is congested,
// a while after it is, as a heartbeat does. The valve lets the stream through at
// that pace, whatever the pace is.
func TestTheStreamRunsAtTheCapsulesPace(t *testing.T) {
	const frame, ring, frames = 16 << 10, 64 << 10, 2000
	for _, perFrame := range []time.Duration{10 * time.Microsecond, time.Millisecond, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			a := serve(t, Config{Listener: &record{}})
			inbox := make(chan struct{}, ring/frame)
			done := make(chan struct{})
			heard := perFrame / 10 // between a heartbeat and its effect
			beats := make(chan bool, frames)
			go func() {
				for congested := range beats {
					time.Sleep(heard)
					_ = a.Capsule("c", congested)
				}
			}()
			go func() { // 80 % up, 50 % down
				defer close(done)
				defer close(beats)
				congested := false
				for range frames {
					<-inbox
					used := (len(inbox) + 1) * frame
					if now := congested && used*2 >= ring || used*5 > ring*4; now != congested {
						congested = now
						beats <- now
					}
					time.Sleep(perFrame)
				}
			}()
			start := time.Now()
			v := a.Valve("c")
			for range frames {
				require.NoError(t, v.Wait(t.Context()))
				inbox <- struct{}{}
			}
			<-done
			alone := frames * perFrame
			require.Less(t, time.Since(start), alone*5/4, "80 %% of the ring alone, at %v a frame", perFrame)
		})
	}
}

// However often the valve shuts, a jam is told once when it begins and once when
// it is over.
func TestAJamIsOneEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		a := serve(t, Config{Listener: r})
		for range 100 {
			require.NoError(t, a.Capsule("c", true))
			pass(30 * time.Millisecond)
			require.NoError(t, a.Capsule("c", false))
			pass(20 * time.Millisecond)
		}
		require.Len(t, r.get().throttles, 1)
		require.True(t, r.get().throttles[0].Jammed)
		require.Equal(t, []Fidelity{Reduced}, r.get().fidelities)
		pass(479 * time.Millisecond)
		require.Len(t, r.get().throttles, 1, "not over before Clear has passed")
		pass(10 * time.Second)
		require.Len(t, r.get().throttles, 2)
		over := r.get().throttles[1]
		require.False(t, over.Jammed)
		require.EqualValues(t, 100, over.Times)
		require.Equal(t, 3*time.Second, over.Held)
		require.Equal(t, []Fidelity{Reduced, Full}, r.get().fidelities)
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

// Whatever is told in whatever order: every jam that begins ends, and once it has
// been quiet for long every valve is open and the sensors are read in full.
func TestAlwaysReopens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type act struct {
			capsule   string
			congested bool
			gone      bool
			pause     time.Duration
		}
		acts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) act {
			return act{
				rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "capsule"),
				rapid.Bool().Draw(rt, "congested"),
				rapid.IntRange(0, 9).Draw(rt, "gone") == 0,
				time.Duration(rapid.IntRange(0, 2000).Draw(rt, "ms")) * time.Millisecond,
			}
		}), 1, 50).Draw(rt, "acts")
		synctest.Test(t, func(t *testing.T) {
			r := &record{}
			a := serve(t, Config{Listener: r})
			for _, x := range acts {
				if x.gone {
					require.NoError(t, a.Gone(x.capsule, errors.New("killed")))
				} else {
					require.NoError(t, a.Capsule(x.capsule, x.congested))
					require.Equal(t, !x.congested, a.Valve(x.capsule).Open())
				}
				pass(x.pause)
			}
			for _, id := range []string{"a", "b", "c"} {
				require.NoError(t, a.Capsule(id, false))
			}
			pass(10 * time.Second)
			jammed := map[string]bool{}
			for _, th := range r.get().throttles {
				require.NotEqual(t, jammed[th.Capsule], th.Jammed, "%+v", th)
				jammed[th.Capsule] = th.Jammed
			}
			for _, id := range []string{"a", "b", "c"} {
				require.True(t, a.Valve(id).Open())
				require.False(t, jammed[id])
			}
			if f := r.get().fidelities; len(f) > 0 {
				require.Equal(t, Full, f[len(f)-1])
			}
		})
	})
}

// pass lets d go by, and what is due by then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
