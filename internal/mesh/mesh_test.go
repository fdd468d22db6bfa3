package mesh

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

func TestEventQueueShedsProfilesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewEventQueue(3)
		q.Push(PeerConnected{Peer: "held"}) // the pump holds this one
		synctest.Wait()
		q.Push(PeerConnected{Peer: "a"})
		q.Push(ProfileHeard{Profile: Profile{Peer: "b", Sequence: 1}})
		q.Push(ProfileHeard{Profile: Profile{Peer: "b", Sequence: 2}})
		q.Push(PeerDisconnected{Peer: "a"})
		require.EqualValues(t, 1, q.Shed())
		require.Equal(t, PeerConnected{Peer: "held"}, <-q.C())
		require.Equal(t, PeerConnected{Peer: "a"}, <-q.C())
		require.Equal(t, ProfileHeard{Profile: Profile{Peer: "b", Sequence: 2}}, <-q.C())
		require.Equal(t, PeerDisconnected{Peer: "a"}, <-q.C())
		for i := range 5 {
			q.Push(PeerConnected{Peer: identity.PeerID(rune('0' + i))})
		}
		q.Close()
		q.Close()
		q.Push(PeerConnected{})
		_, open := <-q.C()
		require.False(t, open)
	})
}

func TestProfileCheck(t *testing.T) {
	now := time.Unix(1000, 0)
	good := Profile{Peer: "p", Capabilities: []string{"gpu"}, Expires: now.Add(time.Minute), Coordinate: &Coordinate{Vec: []float64{-1, 2}, Adjustment: -1}}
	require.NoError(t, good.Check(now))
	for name, spoil := range map[string]func(*Profile){
		"no peer":      func(p *Profile) { p.Peer = "" },
		"expired":      func(p *Profile) { p.Expires = now },
		"far expiry":   func(p *Profile) { p.Expires = now.Add(2 * MaxProfileLife) },
		"latency":      func(p *Profile) { p.Latency = -1 },
		"capability":   func(p *Profile) { p.Capabilities = []string{""} },
		"no word":      func(p *Profile) { p.Capabilities = []string{"GPU"} },
		"capabilities": func(p *Profile) { p.Capabilities = make([]string, MaxCapabilities+1) },
		"nan":          func(p *Profile) { p.Coordinate.Vec[0] = math.NaN() },
		"inf":          func(p *Profile) { p.Coordinate.Adjustment = math.Inf(1) },
		"height":       func(p *Profile) { p.Coordinate.Height = -1 },
		"addrs":        func(p *Profile) { p.Addrs = make([]string, MaxProfileAddrs+1) },
		"name":         func(p *Profile) { p.Name = string(make([]byte, 300)) },
	} {
		p := good.Clone()
		spoil(&p)
		require.ErrorIs(t, p.Check(now), ErrProfile, name)
	}
	require.NoError(t, good.Check(now), "Clone shares nothing")
}

func TestContextError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, ContextError(ctx))
	cancel()
	require.ErrorIs(t, ContextError(ctx), ErrCancelled)
	require.ErrorIs(t, ContextError(ctx), context.Canceled)
	ctx, cancel = context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	require.ErrorIs(t, ContextError(ctx), ErrTimeout)
}
