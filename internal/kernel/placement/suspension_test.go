package placement

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// A suspension is twice as long each time, and ten times as long as the node held the job up,
// up to its bound.
func TestSuspensionsGrow(t *testing.T) {
	var s suspensions
	r := newFixture(t, nil)
	a := r.job("capsule", nil).admitted
	suspended := func() (d time.Duration) {
		for ; len(s.of(a, r.now.Add(d))) > 0; d += time.Second {
			require.LessOrEqual(t, d, maxSuspension)
		}
		return d
	}
	require.Zero(t, suspended())
	for _, want := range []time.Duration{firstSuspension, 2 * firstSuspension, 4 * firstSuspension} {
		s.add(KindOf(a), "node", 0, r.now)
		require.Equal(t, want, suspended())
	}
	s.add(KindOf(a), "node", 20*time.Second, r.now)
	require.Equal(t, heldFactor*20*time.Second, suspended())
	s.add(KindOf(a), "node", time.Hour, r.now)
	require.Equal(t, maxSuspension, suspended())
	s.remove(KindOf(a), "node")
	require.Zero(t, suspended())
	s.add(KindOf(a), "node", 0, r.now)
	require.Equal(t, firstSuspension, suspended(), "it starts anew")
}

func TestSuspensionsAreBounded(t *testing.T) {
	var s suspensions
	now := time.Now()
	for i := range 3 * maxSuspensions {
		s.add(Kind{capsule: fmt.Sprint(i % 7)}, identity.PeerID(fmt.Sprint(i)), 0, now.Add(time.Duration(i)*time.Millisecond))
	}
	require.LessOrEqual(t, s.count, maxSuspensions)
	require.Greater(t, s.count, maxSuspensions/4)
	left := 0
	for kind, nodes := range s.by {
		for id := range nodes {
			left++
			s.remove(kind, id)
		}
	}
	require.Zero(t, s.count)
	require.Empty(t, s.by)
	require.Positive(t, left)
}

// Whom a suspended node stands behind: a suspect one gets jobs of the kind when no other is free,
// a suspect stranger and one that another node has contradicted when there is no other.
func TestWhomASuspendedNodeStandsBehind(t *testing.T) {
	for _, c := range []struct {
		name                string
		stranger, refused   bool
		otherBusy, otherOut bool
		gets                identity.PeerID
	}{
		{name: "another is free", gets: "b"},
		{name: "no other is free", otherBusy: true, gets: "a"},
		{name: "no other is free, and it is a stranger", stranger: true, otherBusy: true},
		{name: "no other is there, and it is a stranger", stranger: true, otherOut: true, gets: "a"},
		{name: "no other is free, and it was contradicted", refused: true, otherBusy: true},
		{name: "no other is there, and it was contradicted", refused: true, otherOut: true, gets: "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newFixture(t, nil)
			r.meet("a")
			if !c.stranger {
				r.run("another", time.Second, mesh.JobOutcome{}, nil)
			}
			out, err := said("a", mesh.JobRejected)
			r.run("capsule", 0, out, err)
			if c.refused {
				r.Contradicted(KindOf(r.job("capsule", nil).admitted), "a", err, 0, false, r.now)
			}
			if !c.otherOut {
				p := r.profile("b", 1000)
				if p.FreeSlots = 4; c.otherBusy {
					p.FreeSlots = 0
				}
				r.Meet(mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: p}, r.now)
			}
			got := r.choose(r.job("capsule", nil), 1, false)
			require.Equal(t, c.gets == "", got.Err != nil, "%v", got.Err)
			require.Equal(t, c.gets, got.Node)
		})
	}
}
