package scheduler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

// chosen is who gets a job now, "" when nobody can.
func chosen(x *Index, now time.Time) identity.PeerID {
	c, err := x.Choose(Request{JobID: "j"}, now)
	if err != nil {
		return ""
	}
	return c.Node.ID
}

func TestFailuresCostScore(t *testing.T) {
	x := New(Config{})
	now := epoch0
	require.NoError(t, x.Upsert(node("a", 2, 1), now))
	b := node("b", 2, 1)
	b.Latency = 15 * time.Millisecond
	require.NoError(t, x.Upsert(b, now))
	a, bID := node("a", 2, 1).ID, b.ID
	require.Equal(t, a, chosen(x, now))
	x.Blame(a, now)
	require.Equal(t, bID, chosen(x, now), "half the score is less than b's")
	x.Blame("nobody", now)
	x.Praise("nobody", now)
	x.checkInvariants(t)

	now = now.Add(2 * time.Minute)
	x.Reconsider(now)
	require.Equal(t, a, chosen(x, now), "a quarter of a failure is forgiven")
	x.Praise(a, now)
	now = now.Add(10 * time.Minute)
	x.Reconsider(now)
	require.Empty(t, x.blames, "nothing is remembered for ever")
	n, _ := x.Node(a)
	require.Zero(t, n.Failures)
	x.checkInvariants(t)
}

func TestQuarantineAndProbe(t *testing.T) {
	x := New(Config{})
	now := epoch0
	n := node("a", 4, 1)
	n.Expires = now.Add(24 * time.Hour)
	require.NoError(t, x.Upsert(n, now))
	jobs := 0
	for chosen(x, now) != "" {
		jobs++
		x.Blame(n.ID, now)
	}
	require.Equal(t, 3, jobs, "three failures, and no more jobs")
	require.Equal(t, []identity.PeerID{n.ID}, x.Quarantined())
	_, err := x.Choose(Request{JobID: "j"}, now)
	require.ErrorIs(t, err, ErrBusy, "it may come back")
	e, err := x.Explain(Request{JobID: "j"}, now, 1)
	require.NoError(t, err)
	require.Equal(t, 1, e.Unlocks[NeedTrust])
	require.Zero(t, e.RuledOut[NeedSlot])

	n.Sequence++
	require.NoError(t, x.Upsert(n, now))
	require.Empty(t, chosen(x, now), "a new report changes nothing")

	// Every probe fails: each quarantine is twice the one before, up to the longest.
	for _, want := range []time.Duration{10, 20, 40, 80, 160, 300, 300} {
		waited := time.Duration(0)
		for ; chosen(x, now) == ""; waited += time.Second {
			now = now.Add(time.Second)
			x.Reconsider(now)
		}
		require.Equal(t, want*time.Second, waited)
		l, ok := x.Acquire(n.ID, now)
		require.True(t, ok)
		require.Empty(t, chosen(x, now), "one probe at a time")
		x.Blame(n.ID, now)
		x.Release(l)
		require.Empty(t, chosen(x, now))
	}
	now = now.Add(maxQuarantine)
	require.True(t, x.Reconsider(now))
	require.False(t, x.Reconsider(now))
	x.Praise(n.ID, now)
	got, _ := x.Node(n.ID)
	require.EqualValues(t, 4, got.FreeSlots, "a probe that went well clears it")
	require.Zero(t, got.Failures)
	require.Empty(t, x.blames)
	x.checkInvariants(t)
	require.True(t, x.Remove(n.ID))
}
