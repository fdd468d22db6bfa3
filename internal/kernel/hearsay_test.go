package kernel

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// unreachableMesh is a mesh with one neighbour and many nodes that are only told of.
type unreachableMesh struct {
	*fakeMesh
	reachable identity.PeerID
	unsent    int // jobs sent to nobody
}

func (m *unreachableMesh) Ping(ctx context.Context, id identity.PeerID) (time.Duration, error) {
	if id == m.reachable {
		return 10 * time.Millisecond, nil
	}
	select { // as a dial of an address where nobody is
	case <-time.After(5 * time.Second):
	case <-ctx.Done():
	}
	return 0, mesh.ErrUnreachable
}

func (m *unreachableMesh) RunJob(ctx context.Context, p identity.PeerID, call mesh.JobCall, news func(mesh.Progress)) (mesh.JobOutcome, error) {
	if p != m.reachable {
		m.unsent++
		time.Sleep(5 * time.Second)
		return mesh.JobOutcome{}, fmt.Errorf("%w: %w", mesh.ErrUnsent, mesh.ErrUnreachable)
	}
	return m.fakeMesh.RunJob(ctx, p, call, news)
}

// Profiles of nodes that do not exist, better in all they say than the one that does,
// cost no job anything but a moment.
func TestNodesThatDoNotExist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		profile := func(name string, cost uint64) mesh.Profile {
			return mesh.Profile{Peer: testkit.NamedPeer(name), CreditCost: cost, FreeSlots: 4, Expires: time.Now().Add(time.Hour), Sequence: 1}
		}
		m := &unreachableMesh{fakeMesh: newFakeMesh([]mesh.Peer{{Connected: true, RTT: 10 * time.Millisecond, Profile: profile("honest", 10)}}), reachable: testkit.NamedPeer("honest")}
		k := startOn(t, m, nil)
		for i := range 800 {
			m.events <- mesh.ProfileHeard{Profile: profile(fmt.Sprint("unreachable ", i), 1)}
		}
		synctest.Wait()
		var waited time.Duration
		for range 300 {
			out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Deadline = time.Now().Add(20 * time.Second) }))
			require.NoError(t, err)
			require.Equal(t, m.reachable, out.Node)
			require.Len(t, out.Attempts, 1)
			waited += out.Total
			time.Sleep(100 * time.Millisecond)
		}
		require.Zero(t, m.unsent, "nothing was sent to nobody")
		require.LessOrEqual(t, waited, 2*placement.ProbeTimeout)
	})
}

// A node that is only told of, but is there, becomes a candidate by answering, also past
// many that are not, and wakes the job that waits for it.
func TestWhoIsThereIsFoundPastThoseThatAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &unreachableMesh{fakeMesh: newFakeMesh(nil), reachable: testkit.NamedPeer("honest")}
		k := startOn(t, m, nil)
		profile := func(name string, cost uint64) mesh.Profile {
			return mesh.Profile{Peer: testkit.NamedPeer(name), CreditCost: cost, FreeSlots: 4, Expires: time.Now().Add(time.Hour), Sequence: 1}
		}
		for i := range 40 {
			m.events <- mesh.ProfileHeard{Profile: profile(fmt.Sprint("unreachable ", i), 1)}
		}
		m.events <- mesh.ProfileHeard{Profile: profile("honest", 100)}
		synctest.Wait()
		out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Deadline = time.Now().Add(time.Minute) }))
		require.NoError(t, err)
		require.Equal(t, m.reachable, out.Node)
		require.Zero(t, m.unsent)
	})
}
