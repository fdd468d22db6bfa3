package placement

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/threads/matchmaker"
)

// hearsay has n nodes told of, and the first answered of them connected.
func (r *fixture) hearsay(n, answered int) (ids []identity.PeerID) {
	for i := range n {
		id := identity.PeerID(fmt.Sprint("node ", i))
		if i < answered {
			r.SetConnected(id, true, r.now)
		}
		r.Hear(r.profile(id, 1), r.now)
		ids = append(ids, id)
	}
	return ids
}

// A job waits until the nodes that look best have been measured, once for each attempt, and
// several jobs for one measurement.
func TestTheBestLookingAreMeasuredFirst(t *testing.T) {
	r := newFixture(t, nil)
	ids := r.hearsay(3, 3)
	require.Equal(t, 3, r.estimated)
	require.ElementsMatch(t, ids, r.effects.measure, "each is connected")
	first, second := r.job("capsule", nil), r.job("capsule", nil)
	for _, j := range []*job{first, second} {
		require.ErrorIs(t, r.choose(j, 1, false).Err, matchmaker.ErrLook)
	}
	require.Len(t, r.effects.probes, 1)
	p := r.effects.probes[0]
	require.ElementsMatch(t, ids, p.Nodes)
	require.Same(t, p, first.history.TakeProbe())
	require.Nil(t, first.history.TakeProbe(), "it is waited for once")
	require.Same(t, p, second.history.TakeProbe())
	r.Measured(ids[0], 50*time.Millisecond)
	r.Measured(ids[1], 5*time.Millisecond)
	r.ProbeEnded(p)
	require.Equal(t, 1, r.estimated)
	placed := func(j *job) identity.PeerID {
		c := r.choose(j, 1, false)
		require.NoError(t, c.Err)
		r.GiveBack([]matchmaker.Placement{c.Placement}, r.now)
		return c.Node
	}
	require.Equal(t, ids[1], placed(first))
	require.Equal(t, ids[1], placed(second))
	require.Equal(t, ids[1], placed(r.job("capsule", nil)), "who has given no answer is not asked again at once")
	r.pass(probeAgain)
	require.ErrorIs(t, r.choose(r.job("capsule", nil), 1, false).Err, matchmaker.ErrLook)
	require.Equal(t, []identity.PeerID{ids[2]}, r.effects.probes[1].Nodes)
	for range maxMisses {
		r.Missed(ids[2], r.now)
		r.Missed(ids[0], r.now)
	}
	require.Zero(t, r.estimated)
	require.Len(t, r.effects.gone, 2)
}

// Where nothing can be measured now, no job waits for it longer than a try.
func TestWithoutProbesNoJobWaits(t *testing.T) {
	r := newFixture(t, nil)
	r.hearsay(3, 3)
	r.effects.noProbes = true
	j := r.job("capsule", nil)
	require.ErrorIs(t, r.choose(j, 1, false).Err, matchmaker.ErrLook)
	require.NoError(t, r.choose(j, 1, false).Err)
	require.NoError(t, r.choose(r.job("capsule", nil), 1, false).Err, "it is over")
	require.Len(t, r.effects.probes, 1)
}

// Nodes that are only told of are asked whether they are there, the best ones first, and none
// twice in a minute. When two probes in a row bring none, jobs that have a node wait no more.
func TestNodesThatAreOnlyToldOf(t *testing.T) {
	r := newFixture(t, nil)
	r.meet("here")
	r.hearsay(100, 0)
	waited := 0
	for range 20 {
		j := r.job("capsule", nil)
		c := r.choose(j, 1, false)
		if c.Err != nil {
			require.ErrorIs(t, c.Err, matchmaker.ErrLook)
			require.NotNil(t, j.history.TakeProbe())
			waited++
			r.ProbeEnded(r.effects.probes[len(r.effects.probes)-1]) // no node has answered
			c = r.choose(j, 1, false)
		}
		require.Equal(t, identity.PeerID("here"), c.Node)
		r.GiveBack([]matchmaker.Placement{c.Placement}, r.now)
	}
	require.Equal(t, maxUnanswered, waited)
	asked := make(map[identity.PeerID]bool)
	for _, p := range r.effects.probes {
		require.LessOrEqual(t, len(p.Nodes), ProbeAtOnce)
		for _, id := range p.Nodes {
			require.False(t, asked[id], "%s is asked twice", id)
			asked[id] = true
		}
	}
	require.Len(t, asked, 100)
	r.Measured("node 7", 10*time.Millisecond)
	require.Zero(t, r.unanswered)
	info, _ := r.Info("node 7", r.now)
	require.Empty(t, info.Missing, "it has answered: it is a candidate")
	r.pass(probeAgain)
	require.ErrorIs(t, r.choose(r.job("capsule", nil), 1, false).Err, matchmaker.ErrLook, "they are asked again")
}
