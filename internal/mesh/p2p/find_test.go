package p2p

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
	"inos/internal/testkit"
)

// Somebody who lives is found behind many who do not answer, though another was found
// at once.
func TestFindWaitsForTheLiving(t *testing.T) {
	a := start(t, 450, nil)
	infoOf := func(n *node) peer.AddrInfo {
		require.NoError(t, n.Publish(t.Context(), profile("gpu")))
		info, err := parseAddr(n.Addrs()[0])
		require.NoError(t, err)
		return info
	}
	first, last := infoOf(start(t, 451, nil)), infoOf(start(t, 452, nil))
	silent, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // answers nobody
	require.NoError(t, err)
	defer silent.Close()
	named := make(chan peer.AddrInfo, 64)
	named <- first
	for i := range findersAtOnce {
		id, err := peerID(testkit.Peer(460 + i))
		require.NoError(t, err)
		addr, err := ma.NewMultiaddr("/ip4/127.0.0.1/udp/" + portOf(silent) + "/quic-v1")
		require.NoError(t, err)
		named <- peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{addr}}
	}
	named <- first // named twice
	named <- last
	close(named)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f := &finding{m: a.Mesh, heard: make(chan hearing, maxProviders)}
	found := f.run(ctx, named, "gpu")
	ids := map[string]bool{}
	for _, p := range found {
		ids[string(p.Peer)] = true
	}
	require.Equal(t, map[string]bool{string(nameOf(first.ID)): true, string(nameOf(last.ID)): true}, ids)

	// Nobody who can do it, and a caller who has had enough.
	again := make(chan peer.AddrInfo)
	ctx, cancel = context.WithCancel(t.Context())
	go func() { again <- first; cancel() }()
	f = &finding{m: a.Mesh, heard: make(chan hearing, maxProviders)}
	require.Empty(t, f.run(ctx, again, "tpu"))
}

func portOf(c *net.UDPConn) string {
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return port
}

// A bootstrap node that was started anew on its port is connected to again.
func TestARestartedBootstrapNodeIsDialledAgain(t *testing.T) {
	w := newWorker()
	cfg := Config{Key: testkit.Key(470), Handler: w, Listen: []string{listenWT}}
	boot, err := New(cfg)
	require.NoError(t, err)
	a := start(t, 471, func(c *Config) { c.Bootstrap = []string{boot.Addrs()[0]} })
	until(t, a, connected(&node{boot, w}))
	multiaddr, err := ma.NewMultiaddr(boot.Addrs()[0])
	require.NoError(t, err)
	port, err := multiaddr.ValueForProtocol(ma.P_UDP)
	require.NoError(t, err)
	require.NoError(t, boot.Close())
	until(t, a, func(e mesh.Event) bool { _, gone := e.(mesh.PeerDisconnected); return gone })
	cfg.Listen = []string{"/ip4/127.0.0.1/udp/" + port + "/quic-v1/webtransport"}
	boot, err = New(cfg)
	require.NoError(t, err)
	defer boot.Close()
	until(t, a, connected(&node{boot, w}))
}
