//go:build !js

package p2p

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
)

// silence opens as many streams as it can to a, of each protocol, on which nothing is said
// but the protocol's name, and of none.
func silence(t *testing.T, a *node, ids ...protocol.ID) host.Host {
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.ResourceManager(&network.NullResourceManager{}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	addr, err := parseAddr(a.Addrs()[0])
	require.NoError(t, err)
	require.NoError(t, h.Connect(t.Context(), addr))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for i := range 256 {
		s, err := h.Network().NewStream(ctx, a.id) // waits once there are too many of the connection
		if err != nil {
			break
		}
		t.Cleanup(func() { _ = s.Reset() })
		if id := ids[i%len(ids)]; id == "" {
			_, err = s.Write([]byte{19})
		} else {
			_, err = io.WriteString(s, "\x13/multistream/1.0.0\n"+string(byte(len(id)+1))+string(id)+"\n")
		}
		require.NoError(t, err)
	}
	return h
}

// Six peers that say nothing on as many streams as they can open shut out nobody.
func TestSilentPeersShutOutNobody(t *testing.T) {
	for name, ids := range map[string][]protocol.ID{
		"protocols of ours": inosProtocols,
		"no protocol":       {""},
		"libp2p's own":      {kadProtocol, identify.IDPush, ping.ID},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, 970, nil)
			for range 6 {
				silence(t, a, ids...)
			}
			b := start(t, 971, nil)
			_, err := b.Connect(t.Context(), a.Addrs()[0])
			require.NoError(t, err)
			for range 20 {
				out, err := b.RunJob(t.Context(), a.Self(), call("upper", []byte("abc")), nil)
				require.NoError(t, err)
				require.Equal(t, mesh.JobOK, out.Code)
				_, err = b.Ping(t.Context(), a.Self())
				require.NoError(t, err)
			}
			dialled, err := parseAddr(a.Addrs()[0])
			require.NoError(t, err)
			h, err := libp2p.New(libp2p.NoListenAddrs)
			require.NoError(t, err)
			defer h.Close()
			require.NoError(t, h.Connect(t.Context(), dialled), "identify")
			require.NoError(t, (<-ping.Ping(t.Context(), h, a.id)).Error)
		})
	}
}

// A stream on which nothing is said ends within seconds, and its peer's connection was worth
// nothing meanwhile.
func TestASilentStreamEnds(t *testing.T) {
	a := start(t, 975, func(c *Config) { c.StallTimeout = time.Hour })
	h := silence(t, a, JobProtocol)
	require.False(t, a.host.ConnManager().IsProtected(h.ID(), holdStreams))
	s, err := h.NewStream(t.Context(), a.id, CapsuleProtocol)
	require.NoError(t, err)
	_, err = s.Read(make([]byte, 1))
	require.Error(t, err)
	require.Eventually(t, func() bool {
		a.limiter.mu.Lock()
		defer a.limiter.mu.Unlock()
		return len(a.limiter.silent.streams) == 0
	}, 30*time.Second, 10*time.Millisecond)
}
