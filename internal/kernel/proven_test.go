package kernel

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// A job's last attempt goes to the node with a record that has been there the longest,
// past any number of strangers that look better and of nodes that come and go.
func TestTheLastAttemptGoesToWhoStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := func(name string, cost uint64) mesh.Peer {
			return mesh.Peer{Connected: true, RTT: time.Millisecond, Profile: mesh.Profile{
				Peer: peerOf(name), CreditCost: cost, FreeSlots: 4, Expires: time.Now().Add(time.Hour), Sequence: 1,
			}}
		}
		peers := []mesh.Peer{peer("steady", 1000), peer("fickle", 10), peer("failing", 10)}
		for i := range 60 {
			peers = append(peers, peer(fmt.Sprint("stranger", i), 1))
		}
		c := newCrowd(peers)
		k := startOn(t, c, func(cfg *Config) { cfg.Slots = -1 })
		time.Sleep(time.Minute)
		require.NoError(t, k.loop.ask(t.Context(), func(s *state) {
			last := func() identity.PeerID {
				req := scheduler.Request{JobID: "j"}
				best, err := s.index.Choose(req, time.Now())
				require.NoError(t, err)
				c, busy := s.proven(matchmaker.Waiting{Job: &job{}}, req, best, time.Now())
				require.False(t, busy)
				return c.Node.ID
			}
			require.NotEqual(t, peerOf("steady"), last(), "nobody has a record, and all came at once: the best one")
			for id, n := range s.nodes {
				if id != peerOf("steady") {
					n.steady = time.Now() // lost, and back
				}
			}
			require.Equal(t, peerOf("steady"), last(), "nobody has a record: the one that has stayed")
			best, err := s.index.Choose(scheduler.Request{JobID: "j"}, time.Now())
			require.NoError(t, err)
			require.False(t, s.busySteadier(scheduler.Request{JobID: "j"}, best, time.Now()), "it is free")
			var leases []scheduler.Lease
			for lease, ok := s.index.Acquire(peerOf("steady"), time.Now()); ok; lease, ok = s.index.Acquire(peerOf("steady"), time.Now()) {
				leases = append(leases, lease)
			}
			require.True(t, s.busySteadier(scheduler.Request{JobID: "j"}, best, time.Now()), "worth waiting for")
			require.False(t, s.busySteadier(scheduler.Request{JobID: "j", Exclude: []identity.PeerID{peerOf("steady")}}, best, time.Now()), "it has failed this job")
			s.nodes[peerOf("steady")].connected = false
			require.False(t, s.busySteadier(scheduler.Request{JobID: "j"}, best, time.Now()), "nothing says that it is still there")
			for _, lease := range leases {
				s.index.Release(lease)
			}
			require.NotEqual(t, peerOf("steady"), last(), "nothing says that it is still there")
			s.nodes[peerOf("steady")].connected = true
			for _, name := range []string{"steady", "fickle", "failing"} {
				s.nodes[peerOf(name)].answers.add(time.Second)
				s.index.SetStranger(peerOf(name), 0)
			}
			s.connection(peerOf("fickle"), false, time.Now())
			s.connection(peerOf("fickle"), true, time.Now())
			s.index.RecordFailure(peerOf("failing"), time.Now())
			require.Equal(t, peerOf("steady"), last())
			s.nodes[peerOf("steady")].steady = time.Now().Add(time.Second) // lost just now
			require.Equal(t, peerOf("fickle"), last())
			s.index.RecordFailure(peerOf("fickle"), time.Now())
			s.index.RecordFailure(peerOf("steady"), time.Now())
			require.Equal(t, peerOf("failing"), last(), "all have failed: the one that has been there the longest")
		}))
	})
}
