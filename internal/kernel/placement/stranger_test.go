package placement

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// A stranger has one job at a time, and one more for each that it reports to be running, until it
// has done one.
func TestAStrangerHasFewJobs(t *testing.T) {
	r := newFixture(t, nil)
	r.meet("a")
	place := func() (matchmaker.Placement, bool) {
		c := r.choose(r.job("capsule", nil), 1, false)
		require.True(t, c.Err == nil || c.For == "", "%v", c.Err)
		return c.Placement, c.Err == nil
	}
	first, ok := place()
	require.True(t, ok)
	require.False(t, first.Known)
	_, ok = place()
	require.False(t, ok, "one")
	kicks := r.effects.kicks
	r.Working(SlotOf(first), "a", r.now)
	r.Working(SlotOf(first), "a", r.now)
	require.Equal(t, kicks+1, r.effects.kicks, "a job may wait for that")
	second, ok := place()
	require.True(t, ok)
	_, ok = place()
	require.False(t, ok, "one more")
	r.Done(first, mesh.JobOutcome{}, matchmaker.ErrOutrun, r.now)
	_, ok = place()
	require.False(t, ok, "it runs none any more, and has one")
	r.Done(second, mesh.JobOutcome{}, matchmaker.ErrOutrun, r.now)
	r.Working(SlotOf(second), "a", r.now) // said too late
	third, ok := place()
	require.True(t, ok)
	_, ok = place()
	require.False(t, ok, "what is said too late does not count")
	r.Done(third, mesh.JobOutcome{}, nil, r.now)
	for range 4 {
		p, ok := place()
		require.True(t, ok, "it has a record")
		require.True(t, p.Known)
	}
}

// While money is out with a stranger the next job goes to a node with a record, if one is free:
// also while a promise to one that was lost with a job may still be redeemed.
func TestWhileMoneyIsOutWithAStranger(t *testing.T) {
	for _, lost := range []bool{false, true} {
		r := newFixture(t, nil)
		r.meet("known")
		r.run("capsule", time.Second, mesh.JobOutcome{}, nil)
		r.Meet(mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: r.profile("stranger", 1)}, r.now)
		r.Meet(mesh.Peer{Connected: true, RTT: 1500 * time.Microsecond, Profile: r.profile("other", 1)}, r.now)
		c := r.choose(r.job("capsule", nil), 1, false)
		require.Equal(t, identity.PeerID("stranger"), c.Node)
		if lost {
			r.Done(c.Placement, mesh.JobOutcome{}, mesh.ErrUnreachable, r.now)
		}
		next := func() identity.PeerID {
			c := r.choose(r.job("capsule", nil), 1, false)
			require.NoError(t, c.Err)
			r.GiveBack([]matchmaker.Placement{c.Placement}, r.now)
			return c.Node
		}
		require.Equal(t, identity.PeerID("known"), next())
		if !lost {
			r.Done(c.Placement, mesh.JobOutcome{Code: mesh.JobBusy}, &matchmaker.JobError{Code: mesh.JobBusy}, r.now)
		}
		r.now = r.now.Add(time.Minute - 1)
		require.Equal(t, map[bool]identity.PeerID{true: "known", false: "other"}[lost], next())
		r.now = r.now.Add(1)
		require.Equal(t, identity.PeerID("other"), next(), "the promise has ended")
	}
}

// Of several jobs that are placed at once one may go to a stranger, if nodes with a record are free.
func TestOneOfSeveralGoesToAStranger(t *testing.T) {
	r := newFixture(t, nil)
	r.meet("known")
	r.run("capsule", time.Second, mesh.JobOutcome{}, nil)
	for _, id := range []identity.PeerID{"x", "y", "z"} {
		r.Meet(mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: r.profile(id, 1)}, r.now)
	}
	jobs := make([]matchmaker.Waiting, 4)
	for i := range jobs {
		jobs[i] = matchmaker.Waiting{Ctx: t.Context(), Job: r.job("capsule", nil), Attempt: 1}
	}
	out := make([]matchmaker.Choice, len(jobs))
	r.Choose(jobs, out, r.now)
	strangers := 0
	for _, c := range out {
		require.NoError(t, c.Err)
		if !c.Known {
			strangers++
		}
	}
	require.Equal(t, 1, strangers)
}

// Who has shown nothing cannot buy the first place: a stranger's price counts as half of the
// usual one at least.
func TestAStrangersPriceHasAFloor(t *testing.T) {
	r := newFixture(t, nil)
	p := r.profile("known", 100)
	r.Meet(mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: p}, r.now)
	r.run("capsule", time.Second, mesh.JobOutcome{}, nil)
	r.Meet(mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: r.profile("cheap", 1)}, r.now)
	cheap, _ := r.Info("cheap", r.now)
	known, _ := r.Info("known", r.now)
	require.InDelta(t, 2, cheap.Score/known.Score, 0.01)
	e, err := r.Explain(RequestOf(r.job("capsule", nil).admitted.Job(), nil), r.now, 1)
	require.NoError(t, err)
	parts := e.Top[0].Parts
	require.Equal(t, "stranger's price", parts[len(parts)-1].Name)
}
