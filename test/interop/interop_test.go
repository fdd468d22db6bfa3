// Package interop lets the mesh talk to peers that nobody here wrote: a plain
// go-libp2p node with its default options, kad-dht and ping, and a gossipsub
// subscriber that knows nothing of profiles.
package interop

import (
	"context"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"
	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
	"inos/internal/testkit"
	"inos/internal/wire"
)

// stranger is libp2p.New as its own documentation shows it, with a DHT server
// under our prefix.
func stranger(t *testing.T, listen string) (host.Host, *dht.IpfsDHT) {
	h, err := libp2p.New(libp2p.ListenAddrStrings(listen))
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.Close() })
	d, err := dht.New(t.Context(), h, dht.Mode(dht.ModeServer), dht.ProtocolPrefix("/inos"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return h, d
}

func ours(t *testing.T, name string, listen ...string) *p2p.Mesh {
	m, err := p2p.New(p2p.Config{Key: testkit.NamedKey(name), Listen: listen})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func capabilityCID(t *testing.T, capability string) cid.Cid {
	mh, err := multihash.Sum([]byte("inos/capability/1/"+capability), multihash.SHA2_256, -1)
	require.NoError(t, err)
	return cid.NewCidV1(cid.Raw, mh)
}

func addrOf(h host.Host) string { return h.Addrs()[0].String() + "/p2p/" + h.ID().String() }

func TestStrangersNode(t *testing.T) {
	for name, listen := range map[string]string{
		"webtransport": "/ip4/127.0.0.1/udp/0/quic-v1/webtransport",
		"quic":         "/ip4/127.0.0.1/udp/0/quic-v1",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			h, d := stranger(t, listen)
			a := ours(t, "a"+name, listen)
			b := ours(t, "b"+name, listen)

			// We dial the stranger and ping it; it pings us.
			for _, m := range []*p2p.Mesh{a, b} {
				p, err := m.Connect(ctx, addrOf(h))
				require.NoError(t, err)
				rtt, err := m.Ping(ctx, p)
				require.NoError(t, err)
				require.Positive(t, rtt)
				id, err := peer.Decode(string(m.Self()))
				require.NoError(t, err)
				require.NoError(t, (<-ping.Ping(ctx, h, id)).Error)
			}

			// a's provider record lies with the stranger, who finds it, and b
			// finds a through the stranger, to whom both are connected.
			require.NoError(t, a.Publish(ctx, mesh.Profile{Capabilities: []string{"gpu"}, Expires: time.Now().Add(time.Minute)}))
			require.Eventually(t, func() bool {
				found, err := d.FindProviders(ctx, capabilityCID(t, "gpu"))
				return err == nil && len(found) == 1 && found[0].ID.String() == string(a.Self())
			}, 30*time.Second, 50*time.Millisecond)
			var found []mesh.Profile
			require.Eventually(t, func() bool {
				var err error
				found, err = b.Find(ctx, "gpu")
				return err == nil && len(found) == 1
			}, 30*time.Second, 50*time.Millisecond)
			require.Equal(t, a.Self(), found[0].Peer)

			// The stranger dials us by the address in the profile.
			info, err := peer.AddrInfoFromP2pAddr(ma.StringCast(a.Addrs()[0]))
			require.NoError(t, err)
			other, _ := stranger(t, listen)
			require.NoError(t, other.Connect(ctx, *info))
			require.NoError(t, (<-ping.Ping(ctx, other, info.ID)).Error)

			// It provides the capability but speaks nothing of ours: Find leaves
			// it out, and asking it for a job is an error with a name.
			require.NoError(t, d.Provide(ctx, capabilityCID(t, "gpu"), true))
			found, err = b.Find(ctx, "gpu")
			require.NoError(t, err)
			require.Len(t, found, 1)
			_, err = b.RunJob(ctx, identity.PeerID(h.ID().String()), mesh.JobCall{}, nil)
			require.ErrorIs(t, err, mesh.ErrProtocol)
		})
	}
}

// TestStrangersGossip: a gossipsub node without our validator hears a profile,
// and can check it with the signature alone.
func TestStrangersGossip(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const listen = "/ip4/127.0.0.1/udp/0/quic-v1/webtransport"
	h, _ := stranger(t, listen)
	ps, err := pubsub.NewGossipSub(ctx, h)
	require.NoError(t, err)
	topic, err := ps.Join("/inos/profile/1")
	require.NoError(t, err)
	sub, err := topic.Subscribe()
	require.NoError(t, err)
	a := ours(t, "gossip", listen)
	_, err = a.Connect(ctx, addrOf(h))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(topic.ListPeers()) == 1 }, 30*time.Second, 10*time.Millisecond)
	// Both sides learn of the other's subscription on their own; until a has, a
	// publication reaches nobody.
	heard := make(chan *pubsub.Message, 1)
	go func() {
		if msg, err := sub.Next(ctx); err == nil {
			heard <- msg
		}
	}()
	require.Eventually(t, func() bool {
		require.NoError(t, a.Publish(ctx, mesh.Profile{Capabilities: []string{"simd"}, Expires: time.Now().Add(time.Minute)}))
		return len(heard) == 1
	}, 30*time.Second, 100*time.Millisecond)
	payload, signer, err := wire.Open(wire.DomainProfile, (<-heard).Data)
	require.NoError(t, err)
	require.Equal(t, a.Self(), signer)
	p, err := wire.DecodeProfile(payload)
	require.NoError(t, err)
	require.Equal(t, []string{"simd"}, p.Capabilities)
	require.Equal(t, a.Addrs(), p.Addrs)
}
