package supervisor

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Every state against every change; what is not named here is refused.
func TestTransitions(t *testing.T) {
	type row map[change]State
	alive := row{reportedHealthy: Healthy, reportedDegraded: Degraded, reportedPaused: Paused, fellSilent: Zombie,
		restarted: Starting, ended: Stopped, broke: Failed}
	with := func(more row) row {
		out := row{}
		for _, r := range []row{alive, more} {
			for c, s := range r {
				out[c] = s
			}
		}
		return out
	}
	want := map[State]row{
		Starting: {becameReady: Healthy, restarted: Starting, ended: Stopped, broke: Failed},
		Healthy:  with(row{missedHeartbeats: Degraded}),
		Degraded: with(row{missedHeartbeats: Degraded}),
		Paused:   with(row{missedHeartbeats: Paused}),
		Zombie:   alive,
		Stopped:  {},
		Failed:   {},
	}
	for s := range State(states) {
		for c := range change(changes) {
			got, err := next(s, c)
			if to, ok := want[s][c]; ok {
				require.NoError(t, err, "%s %s", s, c)
				require.Equal(t, to, got, "%s %s", s, c)
				continue
			}
			require.ErrorIs(t, err, ErrTransition, "%s %s", s, c)
			require.Equal(t, s, got, "a refused change changes nothing")
			require.ErrorContains(t, err, s.String())
			require.ErrorContains(t, err, c.String())
		}
	}
	_, err := next(states, becameReady)
	require.ErrorIs(t, err, ErrTransition)
	_, err = next(Healthy, changes)
	require.ErrorIs(t, err, ErrTransition)
}

func TestPulse(t *testing.T) {
	const second = time.Second
	now := time.Unix(0, 0)
	p := pulse{period: second}
	p.start(now)
	tick := func(after time.Duration) int {
		now = now.Add(after)
		return p.tick(now)
	}
	require.Equal(t, 1, tick(second))
	require.Equal(t, 2, tick(second))
	p.beat(1, 1)
	require.Equal(t, 1, tick(second), "a heartbeat starts the count again")
	p.beat(1, 1)
	require.Equal(t, 2, tick(second), "an old heartbeat says nothing")
	p.beat(2, 1)
	require.Equal(t, 1, tick(second), "a new memory epoch counts from one again")
	p.beat(2, 2)
	require.Equal(t, 2, tick(time.Hour), "a tick an hour late counts as two")
	require.Equal(t, 4, tick(time.Minute))
	require.Equal(t, 4, tick(-time.Minute), "a clock that goes back adds nothing")
	require.Equal(t, 5, tick(second))
}

// At no time are more restarts allowed than the intensity says.
func TestIntensity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history{Intensity: Intensity{
			Restarts: rapid.IntRange(-1, 5).Draw(t, "restarts"),
			Within:   time.Duration(rapid.IntRange(1, 20).Draw(t, "within")) * time.Second,
		}}
		now := time.Unix(0, 0)
		var all []time.Time
		for _, gap := range rapid.SliceOfN(rapid.IntRange(0, 10), 1, 50).Draw(t, "gaps") {
			now = now.Add(time.Duration(gap) * time.Second)
			all = append(all, now)
			recent := 0
			for _, at := range all {
				if now.Sub(at) < h.Within {
					recent++
				}
			}
			require.Equal(t, recent <= h.Restarts, h.allow(now))
		}
		require.LessOrEqual(t, len(h.at), len(all))
	})
}

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Backoff{Base: time.Duration(rapid.Int64Range(1, int64(time.Second)).Draw(t, "base"))}
		b.Max = b.Base + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "more"))
		seed := rapid.Uint64().Draw(t, "seed")
		one, two := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 0))
		for attempt := range 80 {
			w := b.wait(one, attempt)
			require.Equal(t, w, b.wait(two, attempt), "the same seed waits the same")
			require.GreaterOrEqual(t, w, time.Duration(0))
			require.LessOrEqual(t, w, b.Max)
			if attempt < 10 {
				require.LessOrEqual(t, w, b.Base<<attempt)
			}
		}
	})
	// Full jitter: the waits fill the range from zero.
	b, rng := Backoff{Base: time.Second, Max: time.Minute}, rand.New(rand.NewPCG(1, 0))
	var low, high bool
	for range 200 {
		w := b.wait(rng, 3)
		low, high = low || w < time.Second, high || w > 7*time.Second
	}
	require.True(t, low && high)
}
