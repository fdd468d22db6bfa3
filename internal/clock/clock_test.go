package clock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/clock"
	"inos/internal/clock/clocktest"
)

func TestHere(t *testing.T) {
	now := time.Now()
	for _, ahead := range []time.Duration{0, 20 * time.Second, -100 * time.Second, time.Hour, -48 * time.Hour, 74 * 365 * 24 * time.Hour} {
		theirs := now.Round(0).Add(ahead).Add(8 * time.Second) // "in 8 s", by their clock
		require.Equal(t, 8*time.Second, clock.Here(theirs, ahead, now).Sub(now))
	}
	require.True(t, clock.Here(time.Time{}, time.Hour, now).IsZero())
}

func TestTold(t *testing.T) {
	wall := clocktest.New(0)
	deadline := wall.Now().Add(8 * time.Second)
	wall.Set(-48 * time.Hour)
	now := wall.Now()
	require.Equal(t, deadline.Sub(now), clock.Told(deadline, now).Sub(now.Round(0)), "8 s, less what went by")
	require.True(t, clock.Told(time.Time{}, now).IsZero())
}

// Setting a clock changes no number.
func TestLine(t *testing.T) {
	var l clock.Line
	wall := clocktest.New(0)
	first := wall.Now()
	require.Equal(t, first.UnixNano(), l.Nanos(first))
	for _, d := range []time.Duration{time.Hour, -48 * time.Hour, 74 * 365 * 24 * time.Hour} {
		wall.Set(d)
		now := wall.Now()
		require.Equal(t, first.UnixNano()+int64(now.Sub(first)), l.Nanos(now))
		require.Less(t, now.Sub(first), time.Minute)
		require.Equal(t, l.Nanos(now)+int64(8*time.Second), l.Nanos(now.Add(8*time.Second)))
	}
	// What has no monotonic reading counts as it is, to the ends of the scale.
	var far clock.Line
	require.EqualValues(t, 0, far.Nanos(time.Unix(0, 0)))
	require.EqualValues(t, 1<<33*int64(time.Second), far.Nanos(time.Unix(1<<33, 0)))
	require.EqualValues(t, 1<<63-1, far.Nanos(time.Unix(1<<40, 0)))
	require.EqualValues(t, 1<<63-1, clock.UnixNano(time.Unix(1<<40, 0)))
	require.EqualValues(t, -1<<63, clock.UnixNano(time.Unix(-1<<40, 0)))
}

// The measurement with the shortest round trip is used until it is old or a clock is set.
func TestOffset(t *testing.T) {
	now := time.Now()
	ask := func(ahead, there, back, at time.Duration) clock.Offset {
		asked := now.Add(at)
		return clock.Exchange(asked, asked.Add(there+back), asked.Add(there+ahead).Round(0))
	}
	best := ask(40*time.Second, 10*time.Millisecond, 10*time.Millisecond, 0)
	require.Equal(t, 40*time.Second, best.Ahead)
	require.Equal(t, 20*time.Millisecond, best.RTT)
	require.True(t, best.Known())
	require.False(t, clock.Offset{}.Known())
	require.Equal(t, best, clock.Offset{}.With(best))

	// A slow answer is wrong by half of what it took at most, and does not count.
	slow := ask(40*time.Second, 300*time.Millisecond, 10*time.Millisecond, 5*time.Second)
	require.InDelta(t, float64(40*time.Second), float64(slow.Ahead), float64(slow.RTT/2))
	require.Equal(t, best, best.With(slow))
}

func TestOffsetIsRenewed(t *testing.T) {
	now := time.Now()
	best := clock.Offset{Ahead: 40 * time.Second, RTT: 20 * time.Millisecond, At: now}
	old := clock.Offset{Ahead: 40*time.Second + 5*time.Millisecond, RTT: 30 * time.Millisecond, At: now.Add(time.Minute)}
	require.Equal(t, old, best.With(old), "a minute later")
	set := clock.Offset{Ahead: -time.Hour, RTT: 30 * time.Millisecond, At: now.Add(time.Second)}
	require.Equal(t, set, best.With(set), "both cannot be true")
	quick := clock.Offset{Ahead: 40 * time.Second, RTT: 10 * time.Millisecond, At: now.Add(time.Second)}
	require.Equal(t, quick, best.With(quick))
}

// When this machine's own clock is set, every other clock's offset changes by as much.
func TestOwnClockIsSet(t *testing.T) {
	wall := clocktest.New(0)
	o := clock.Offset{Ahead: 40 * time.Second, RTT: time.Millisecond, At: wall.Now()}
	wall.Set(time.Hour)
	// The two readings of a time are taken one after the other.
	require.InDelta(t, 40*time.Second-time.Hour, o.AheadAt(wall.Now()), float64(time.Second))
	same := clock.Offset{Ahead: 40*time.Second - time.Hour, RTT: 2 * time.Millisecond, At: wall.Now()}
	require.Equal(t, o, o.With(same), "the two agree")
	require.Zero(t, clock.Offset{}.AheadAt(wall.Now()))
}

func TestMedian(t *testing.T) {
	require.Zero(t, clock.Median(nil))
	require.Equal(t, 2*time.Second, clock.Median([]time.Duration{3 * time.Second, 2 * time.Second, time.Second}))
	require.Equal(t, time.Duration(0), clock.Median([]time.Duration{48 * time.Hour, 0, 0, 1}))
}
