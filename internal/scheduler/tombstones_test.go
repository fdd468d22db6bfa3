package scheduler

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// To leave and come back makes no old profile a new one.
func TestReplayAfterDeparture(t *testing.T) {
	for how, leave := range map[string]func(x *Index, now time.Time){
		"removed": func(x *Index, _ time.Time) { x.Remove("node-a") },
		"expired": func(x *Index, now time.Time) { x.Sweep(now, nil) },
	} {
		x := New(Config{})
		now := epoch0
		old, last := node("a", 3, 4), node("a", 3, 5)
		last.Expires = now.Add(time.Minute)
		require.NoError(t, x.Upsert(last, now))
		now = now.Add(2 * time.Minute)
		leave(x, now)
		require.Zero(t, x.Len(), how)
		require.ErrorIs(t, x.Upsert(old, now), ErrReplayed, how)
		require.Zero(t, x.Len(), how)
		again := node("a", 3, 5)
		require.NoError(t, x.Upsert(again, now), "the last one may be heard again, %s", how)
		require.Empty(t, x.tombstones, how)
	}
}

func TestMemoryOfTheDepartedIsBounded(t *testing.T) {
	x := New(Config{})
	for i := range 2 * maxHistory {
		n := node(strconv.Itoa(i), 1, 9)
		n.Expires = epoch0.Add(time.Hour + time.Duration(i)*time.Millisecond)
		require.NoError(t, x.Upsert(n, epoch0))
		require.True(t, x.Remove(n.ID))
	}
	require.LessOrEqual(t, len(x.tombstones), maxHistory+maxHistory/4)
	require.NoError(t, x.Upsert(node("0", 1, 1), epoch0), "the first to expire are forgotten first")
	require.ErrorIs(t, x.Upsert(node(strconv.Itoa(2*maxHistory-1), 1, 1), epoch0), ErrReplayed)
	x.Reconsider(epoch0.Add(time.Hour + longAgo - time.Second))
	require.NotEmpty(t, x.tombstones)
	x.Reconsider(epoch0.Add(time.Hour + longAgo + 2*maxHistory*time.Millisecond))
	require.Empty(t, x.tombstones)
}
