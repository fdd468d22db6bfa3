//go:build !js

package p2p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
	"inos/test/lossy"
)

// overLoss is two connected nodes with a path between them: b has dialled a over it.
func overLoss(t *testing.T, i int, path lossy.Path, change func(*Config)) (a, b *node) {
	r, err := lossy.Listen("127.0.0.1:0", path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	t.Logf("seed %d", path.Seed)
	a = start(t, i, func(c *Config) {
		c.Announce = r.Announce
		if change != nil {
			change(c)
		}
	})
	b = start(t, i+1, change, a)
	until(t, b, connected(a))
	return a, b
}

// Every fifth datagram is lost, in either direction, and the others overtake each other. What
// is long takes longer than a silence and comes whole; who does not answer is not taken to be
// gone as long as packets come.
func TestALossyPathIsNoReasonToGiveUp(t *testing.T) {
	a, b := overLoss(t, 1100, lossy.Path{Seed: 1, Loss: 0.2, Least: 50 * time.Millisecond, Most: 150 * time.Millisecond},
		func(c *Config) { c.StallTimeout = 3 * time.Second })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	input := bytes.Repeat([]byte("lost and found. "), 6<<10)
	out, err := b.RunJob(ctx, a.Self(), call("upper", input), nil)
	require.NoError(t, err)
	require.Equal(t, bytes.ToUpper(input), out.Output)
	require.True(t, b.paths(a.id).lossy(), "%+v", b.paths(a.id))
	require.Greater(t, b.paths(a.id).patience(), time.Second)

	// Long inputs wait for their turn now, and each has it.
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		all.Go(func() { _, errs[i] = b.RunJob(ctx, a.Self(), call("upper", input[:turnsFrom]), nil) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Empty(t, b.turns.of)

	for _, id := range inosProtocols[len(inosProtocols)-1:] {
		a.host.SetStreamHandler(id, func(network.Stream) { <-a.life.Done() })
	}
	a.host.SetStreamHandler(ping.ID, func(network.Stream) { <-a.life.Done() })
	require.False(t, b.isGone(a.id))
	short, end := context.WithTimeout(ctx, 2*time.Second)
	defer end()
	_, err = b.ping(short, a.id)
	require.ErrorIs(t, err, mesh.ErrLossy)
}

// A handshake that is lost as a whole is followed by another one.
func TestALostHandshakeIsRepeated(t *testing.T) {
	var first atomic.Pointer[string]
	lose := func(d []byte) bool {
		// A QUIC packet with a long header: flags, version, and the id that its client made up.
		if len(d) < 6 || d[0]&0x80 == 0 || len(d) < 6+int(d[5]) {
			return false
		}
		id := string(d[6 : 6+int(d[5])])
		first.CompareAndSwap(nil, &id)
		return id == *first.Load()
	}
	r, err := lossy.Listen("127.0.0.1:0", lossy.Path{Lose: lose})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	a := start(t, 1110, func(c *Config) { c.Announce = r.Announce })
	b := start(t, 1111, nil)
	_, err = b.Connect(t.Context(), a.Addrs()[0])
	require.NoError(t, err)
	require.Positive(t, r.Stats().Dropped)
	require.Contains(t, b.Peers()[0].Addr, fmt.Sprintf("/udp/%d/", r.Addr().Port()))
}

// A peer that has not said in time which protocols it speaks is asked again: without that
// it is connected, and no part of the mesh.
func TestWhoIsNotIdentifiedIsAskedAgain(t *testing.T) {
	a, b := start(t, 1120, nil), start(t, 1121, func(c *Config) { c.Listen = nil })
	answers, err := identify.NewIDService(a.host)
	require.NoError(t, err)
	silent := make(chan struct{})
	a.host.SetStreamHandler(identify.ID, func(s network.Stream) {
		answers.Start() // takes the place of this handler
		<-silent        // and this answer gets lost
		_ = s.Reset()
	})
	t.Cleanup(func() {
		close(silent)
		require.NoError(t, answers.Close())
	})
	require.NoError(t, a.Publish(t.Context(), profile("gpu")))
	_, err = b.Connect(t.Context(), a.Addrs()[0])
	require.NoError(t, err)
	until(t, b, func(e mesh.Event) bool {
		heard, ok := e.(mesh.ProfileHeard)
		return ok && heard.Profile.Peer == a.Self()
	})
}
