package kernel

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
)

// unmeasuredMesh is a fakeMesh whose nodes have not been measured; a ping takes their round trip.
type unmeasuredMesh struct {
	*scriptedMesh
	dead map[identity.PeerID]bool // answer no ping
}

func (c *unmeasuredMesh) Peers() []mesh.Peer {
	peers := make([]mesh.Peer, len(c.peers))
	for i, p := range c.peers {
		p.RTT = 0
		peers[i] = p
	}
	return peers
}

func (c *unmeasuredMesh) Ping(ctx context.Context, id identity.PeerID) (time.Duration, error) {
	c.count("Ping")
	if c.dead[id] {
		<-ctx.Done()
		return 0, mesh.ContextError(ctx)
	}
	rtt, err := c.scriptedMesh.Ping(ctx, id)
	select {
	case <-time.After(rtt):
		return rtt, err
	case <-ctx.Done():
		return 0, mesh.ContextError(ctx)
	}
}

func (c *unmeasuredMesh) pings() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls["Ping"]
}

// The nodes that look best are measured before a job is placed, once, and a job waits
// for that no longer than a blink.
func TestTheBestLookingAreMeasuredFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &unmeasuredMesh{scriptedMesh: newScriptedMesh(placement.ProbeAtOnce), dead: map[identity.PeerID]bool{}}
		for i := range m.peers {
			m.peers[i].Profile.CreditCost, m.peers[i].RTT = 1, 50*time.Millisecond
		}
		m.best = m.peers[3].Profile.Peer
		m.peers[3].RTT = 5 * time.Millisecond
		dead := m.peers[6].Profile.Peer
		m.dead[dead] = true
		k := startOn(t, m, func(c *Config) { c.PingEvery = time.Hour })
		require.Zero(t, m.pings())

		const jobs = 5 // at the same time: all wait for one measurement
		ended := make(chan Outcome, jobs)
		for range jobs {
			go func() {
				out, err := k.Dispatch(t.Context(), submission("x", nil))
				if err != nil {
					out.Node = identity.PeerID(err.Error())
				}
				ended <- out
			}()
		}
		best := 0
		for range jobs {
			out := <-ended
			if out.Node == m.best {
				best++
			}
			require.NotEqual(t, dead, out.Node)
			require.Equal(t, placement.ProbeTimeout, out.Total)
		}
		require.Positive(t, best)
		pings := m.pings()
		require.Equal(t, (placement.ProbeAtOnce-1)*pingBurst+1, pings)

		out, err := k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.Equal(t, m.best, out.Node)
		require.Zero(t, out.Total, "nothing to measure")
		require.Equal(t, pings, m.pings())
		time.Sleep(time.Minute)
		out, err = k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.Equal(t, placement.ProbeTimeout, out.Total, "one has never answered, and is asked again")
		require.Equal(t, pings+1, m.pings())
	})
}
