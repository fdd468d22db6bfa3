package scheduler

import (
	"strconv"
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
	x.RecordFailure(a, now)
	require.Equal(t, bID, chosen(x, now), "half the score is less than b's")
	x.checkInvariants(t)

	now = now.Add(2 * time.Minute)
	x.Reconsider(now)
	require.Equal(t, a, chosen(x, now), "a quarter of a failure is forgiven")
	x.RecordSuccess(a, now)
	now = now.Add(10 * time.Minute)
	x.Reconsider(now)
	require.Empty(t, x.failures, "nothing is remembered for ever")
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
		x.RecordFailure(n.ID, now)
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
		x.RecordFailure(n.ID, now)
		x.Release(l)
		require.Empty(t, chosen(x, now))
	}
	now = now.Add(maxQuarantine)
	require.True(t, x.Reconsider(now))
	require.False(t, x.Reconsider(now))
	x.RecordSuccess(n.ID, now)
	got, _ := x.Node(n.ID)
	require.EqualValues(t, 4, got.FreeSlots, "a probe that went well clears it")
	require.Zero(t, got.Failures)
	require.Empty(t, x.failures)
	x.checkInvariants(t)
	require.True(t, x.Remove(n.ID))
}

// Neither the end of its profile nor removal clears a node, nor does failing while it
// is away.
func TestFailuresOutliveTheProfile(t *testing.T) {
	x := New(Config{})
	now := epoch0
	seq := uint64(0)
	const id = peerID("node-a")
	arrive := func(slots uint32) {
		seq++
		n := node("a", slots, seq)
		n.Expires = now.Add(time.Second)
		require.NoError(t, x.Upsert(n, now))
		x.checkInvariants(t)
	}
	expire := func() {
		now = now.Add(2 * time.Second)
		x.Reconsider(now)
		x.Sweep(now, nil)
		require.Zero(t, x.Len())
	}
	arrive(4)
	x.RecordFailure(id, now)
	expire()
	arrive(4)
	n, _ := x.Node(id)
	require.InDelta(t, 1, n.Failures, 0.03, "one failure, less what two seconds forgive")
	c, err := x.Choose(Request{JobID: "j"}, now)
	require.NoError(t, err)
	require.InDelta(t, 50, c.Score, 1, "half the score")

	x.RecordFailure(id, now)
	require.True(t, x.Remove(id))
	x.RecordFailure(id, now) // a job from before ends: the third failure
	arrive(4)
	require.Empty(t, chosen(x, now), "quarantined while it was away")
	require.Equal(t, []identity.PeerID{id}, x.Quarantined())

	expire()
	now = now.Add(quarantine)
	arrive(4)
	require.Empty(t, chosen(x, now), "nobody has looked at the clock yet")
	require.True(t, x.Reconsider(now))
	require.EqualValues(t, id, chosen(x, now))
	n, _ = x.Node(id)
	require.EqualValues(t, 1, n.FreeSlots, "a probe at a time, though it reports four")
	require.GreaterOrEqual(t, n.Failures, 1.0)
	x.RecordFailure(id, now)
	failed := now

	// The failed probe doubled the quarantine; coming and going does not shorten it.
	for now.Before(failed.Add(2*quarantine - 3*time.Second)) {
		expire()
		arrive(4)
		require.Empty(t, chosen(x, now))
	}
	now = failed.Add(2 * quarantine)
	x.Sweep(now, nil)
	x.Reconsider(now) // ends while it is away
	arrive(4)
	require.EqualValues(t, id, chosen(x, now))
	expire()
	x.RecordSuccess(id, now) // the probe ends well after the profile's end
	arrive(4)
	n, _ = x.Node(id)
	require.EqualValues(t, 4, n.FreeSlots)
	require.Zero(t, n.Failures)
}

// What is remembered of nodes that are away is bounded in number and in time, and a
// crowd of small failures does not drive out a quarantine.
func TestMemoryOfTheAbsentIsBounded(t *testing.T) {
	x := New(Config{})
	now := epoch0
	for range 3 {
		x.RecordFailure("bad", now)
	}
	for i := range 2 * maxHistory {
		now = now.Add(time.Millisecond)
		x.RecordFailure(peerID(strconv.Itoa(i)), now)
	}
	require.LessOrEqual(t, len(x.history), maxHistory+maxHistory/4)
	require.Contains(t, x.history, peerID("bad"))
	require.Contains(t, x.history, peerID(strconv.Itoa(2*maxHistory-1)), "the newest of equals stay")
	require.NotContains(t, x.history, peerID("0"))

	now = now.Add(10 * time.Minute)
	x.Reconsider(now)
	require.Len(t, x.history, 1, "a single failure is forgiven in ten minutes")
	n := node("x", 4, 1)
	n.ID = "bad"
	require.NoError(t, x.Upsert(n, now))
	got, _ := x.Node("bad")
	require.EqualValues(t, 1, got.FreeSlots, "still on probation")
	require.True(t, x.Remove("bad"))
	x.Reconsider(epoch0.Add(quarantine + longAgo - time.Second))
	require.Len(t, x.history, 1)
	x.Reconsider(epoch0.Add(quarantine + longAgo))
	require.Empty(t, x.history)
	x.RecordSuccess("bad", now)
	require.Empty(t, x.history)
}
