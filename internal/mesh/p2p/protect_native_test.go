//go:build !js

package p2p

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
)

// What the connection manager closes to stay within its limits is never a job, whoever
// asked for it, nor a bootstrap peer.
func TestPeersWithWorkStayConnected(t *testing.T) {
	few := func(c *Config) { c.MaxPeers, c.peerGrace = 4, time.Nanosecond }
	boot := start(t, 400, nil)
	a := start(t, 401, few, boot)
	until(t, a, connected(boot))
	worker, asker := start(t, 402, nil), start(t, 403, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 2)
	run := func(from, to *node) {
		_, err := from.Connect(ctx, to.Addrs()[0])
		require.NoError(t, err)
		go func() { _, err := from.RunJob(ctx, to.Self(), call("hang", nil), nil); ended <- err }()
		<-to.w.started
	}
	run(a, worker)
	run(asker, a)
	addr, err := parseAddr(a.Addrs()[0])
	require.NoError(t, err)
	for range 8 { // of no use to the directory, which protects its own
		idle, err := libp2p.New(libp2p.NoListenAddrs)
		require.NoError(t, err)
		defer idle.Close()
		require.NoError(t, idle.Connect(t.Context(), addr))
	}
	conns := a.host.ConnManager()
	require.True(t, conns.IsProtected(worker.id, holdStreams))
	require.True(t, conns.IsProtected(asker.id, holdStreams))
	require.True(t, conns.IsProtected(boot.id, holdBootstrap))
	conns.TrimOpenConns(t.Context())
	require.LessOrEqual(t, len(a.host.Network().Peers()), 3+3, "the limit is one of those without work")
	for name, n := range map[string]*node{"works for it": worker, "asked it": asker, "bootstrap": boot} {
		require.True(t, a.isNear(n.Self()), name)
	}
	select {
	case err := <-ended:
		require.Fail(t, "a job was cut", "%v", err)
	default:
	}
	cancel()
	for range 2 {
		require.ErrorIs(t, <-ended, mesh.ErrCancelled)
	}
	<-a.w.ended
	<-worker.w.ended
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		a.protected.mu.Lock()
		defer a.protected.mu.Unlock()
		require.Empty(t, a.protected.open, "nothing is held after the work")
	}, 30*time.Second, 10*time.Millisecond)
	require.False(t, conns.IsProtected(worker.id, holdStreams))
	require.False(t, conns.IsProtected(asker.id, holdStreams))
}
