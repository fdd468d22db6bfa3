package scheduler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A node that could not be reached is passed over, twice as long each time, and has one
// job at a time until one has reached it. Its score stays what it was.
func TestUnreachableNodesArePassedOver(t *testing.T) {
	x := New(Config{})
	require.NoError(t, x.Upsert(node("a", 4, 1), epoch0))
	now := epoch0
	was, _ := x.Node("node-a")
	free := func() error {
		_, err := x.Choose(Request{JobID: "j"}, now)
		return err
	}
	pause := firstPass
	for range 8 {
		x.Unreachable("node-a", now)
		x.Unreachable("node-a", now) // a job from before
		require.ErrorIs(t, free(), ErrBusy, "it may be back")
		require.Equal(t, []peerID{"node-a"}, x.Unreached())
		e, err := x.Explain(Request{JobID: "j"}, now, 1)
		require.NoError(t, err)
		require.Equal(t, map[Requirement]int{NeedReach: 1}, e.RuledOut)
		require.Equal(t, map[Requirement]int{NeedReach: 1}, e.Unlocks)

		require.False(t, x.Reconsider(now.Add(pause-1)))
		now = now.Add(pause)
		require.True(t, x.Reconsider(now))
		require.NoError(t, free())
		n, _ := x.Node("node-a")
		require.EqualValues(t, 1, n.FreeSlots, "one job at a time")
		require.Equal(t, was.Failures, n.Failures)
		l, ok := x.Acquire("node-a", now)
		require.True(t, ok)
		require.ErrorIs(t, free(), ErrBusy)
		x.Release(l)
		x.checkInvariants(t)
		pause = min(2*pause, longestPass)
	}
	require.Equal(t, longestPass, pause)
	require.False(t, x.Reached("node-a"), "it was not passed over")
	n, _ := x.Node("node-a")
	require.EqualValues(t, 4, n.FreeSlots)
	require.Empty(t, x.failures, "nothing is left of it")

	// A new way is worth one try, and no forgetting.
	x.Unreachable("node-a", now)
	x.Reconsider(now.Add(firstPass))
	x.Unreachable("node-a", now.Add(firstPass))
	require.True(t, x.MayBeReached("node-a"))
	require.NoError(t, free())
	x.Unreachable("node-a", now.Add(firstPass))
	require.False(t, x.Reconsider(now.Add(firstPass+3*time.Second)), "4 s this time")
	require.True(t, x.Reached("node-a"))
	n, _ = x.Node("node-a")
	require.EqualValues(t, 4, n.FreeSlots)
	x.checkInvariants(t)
}

// To be forgotten and to come back gains nothing; to be gone for long does.
func TestPassingOverOutlivesTheProfile(t *testing.T) {
	x := New(Config{})
	require.NoError(t, x.Upsert(node("a", 4, 1), epoch0))
	x.Unreachable("node-a", epoch0)
	require.True(t, x.Remove("node-a"))
	require.NoError(t, x.Upsert(node("a", 4, 2), epoch0))
	require.Equal(t, []peerID{"node-a"}, x.Unreached())
	require.True(t, x.Remove("node-a"))
	for at := epoch0; at.Before(epoch0.Add(2 * time.Minute)); at = at.Add(time.Second) {
		x.Reconsider(at)
	}
	require.Empty(t, x.history)
	x.Unreachable("node-b", epoch0) // before its first profile
	require.NoError(t, x.Upsert(node("b", 1, 1), epoch0))
	require.Equal(t, []peerID{"node-b"}, x.Unreached())
	x.checkInvariants(t)
}
