package placement

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// A job's last attempt goes to the node with a record that has been there the longest,
// past any number of strangers that look better and of nodes that come and go.
func TestTheLastAttemptGoesToWhoStays(t *testing.T) {
	r := newFixture(t, nil)
	peer := func(id identity.PeerID, cost uint64) {
		r.Meet(mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: r.profile(id, cost)}, r.now)
	}
	peer("steady", 1000)
	peer("fickle", 10)
	peer("failing", 10)
	for i := range 60 {
		peer(identity.PeerID(fmt.Sprint("stranger", i)), 1)
	}
	r.pass(time.Minute)
	req := scheduler.Request{JobID: "j"}
	best, err := r.index.Choose(req, r.now)
	require.NoError(t, err)
	last := func() identity.PeerID {
		c, busy := r.lastNode(matchmaker.Waiting{Job: &job{}}, req, best, r.now)
		require.False(t, busy)
		return c.Node.ID
	}
	again := func(id identity.PeerID) {
		r.SetConnected(id, false, r.now)
		r.SetConnected(id, true, r.now)
	}
	require.NotEqual(t, identity.PeerID("steady"), last(), "nobody has a record, and all came at once: the best one")
	for id := range r.nodes {
		if id != "steady" {
			again(id)
		}
	}
	require.Equal(t, identity.PeerID("steady"), last(), "nobody has a record: the one that has stayed")
	require.False(t, r.busySteadier(req, best, r.now), "it is free")
	var places []matchmaker.Placement
	for p := (matchmaker.Placement{Node: "steady"}); r.Reserve(&p, "capsule", r.now); {
		places = append(places, p)
	}
	require.True(t, r.busySteadier(req, best, r.now), "worth waiting for")
	require.False(t, r.busySteadier(scheduler.Request{JobID: "j", Exclude: []identity.PeerID{"steady"}}, best, r.now), "it has failed this job")
	old := best
	old.Node.ID = "steady" // as long there as any
	require.False(t, r.busySteadier(req, old, r.now))
	old.Node.Failures = failing
	require.True(t, r.busySteadier(req, old, r.now), "it has failed lately")
	since := r.nodes["steady"].steady
	r.SetConnected("steady", false, r.now)
	require.False(t, r.busySteadier(req, best, r.now), "nothing says that it is still there")
	r.GiveBack(places, r.now)
	require.NotEqual(t, identity.PeerID("steady"), last(), "nothing says that it is still there")
	r.SetConnected("steady", true, r.now)
	r.nodes["steady"].steady = since // as if it had stayed
	for _, id := range []identity.PeerID{"steady", "fickle", "failing"} {
		r.nodes[id].answers.Add(time.Second)
		r.index.SetStranger(id, 0)
	}
	r.pass(time.Second)
	again("fickle")
	r.recordFailure("failing", false, r.now)
	require.Equal(t, identity.PeerID("steady"), last())
	r.pass(time.Second)
	again("steady") // lost just now
	require.Equal(t, identity.PeerID("fickle"), last())
	r.recordFailure("fickle", false, r.now)
	r.recordFailure("steady", false, r.now)
	require.Equal(t, identity.PeerID("failing"), last(), "all have failed: the one that has been there the longest")
}

// While only nodes are known that have failed such a job its last attempt waits, and a Kick ends
// the wait: after a bound, or half of the time to the deadline.
func TestTheLastAttemptWaits(t *testing.T) {
	for _, c := range []struct{ left, wait time.Duration }{
		{0, hearingWait}, {time.Minute, hearingWait}, {8 * time.Second, 4 * time.Second},
	} {
		r := newFixture(t, nil)
		r.meet("liar")
		r.run("another", time.Second, mesh.JobOutcome{}, nil)
		out, err := said("liar", mesh.JobInternal)
		r.run("capsule", 0, out, err)
		r.Contradicted(KindOf(r.job("capsule", nil).admitted), "liar", err, 0, false, r.now)
		j := r.job("capsule", func(j *governance.Job) {
			if c.left > 0 {
				j.Deadline = r.now.Add(c.left)
			}
		})
		for range 2 {
			require.ErrorIs(t, r.choose(j, 2, true).Err, matchmaker.ErrBusy)
			require.Equal(t, []time.Duration{c.wait}, r.effects.waits, "one Kick ends it")
		}
		r.now = r.now.Add(c.wait)
		require.Equal(t, identity.PeerID("liar"), r.choose(j, 2, true).Node, "better than none")
		j.history.End()
		require.Equal(t, 1, r.effects.stopped)
	}
}
