package p2p

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"
)

func TestNetworks(t *testing.T) {
	for addr, want := range map[string]string{
		"/ip4/10.1.2.3/udp/1/quic-v1":           "10.1.2.0/24",
		"/ip6/::ffff:10.1.2.9/udp/1/quic-v1":    "10.1.2.0/24",
		"/ip6/2001:db8:1:2ff::1/udp/1/quic-v1":  "2001:db8:1:200::/56",
		"/ip6/2001:db8:1:2aa:9::/udp/1/quic-v1": "2001:db8:1:200::/56",
		"/ip4/127.0.0.1/udp/1/quic-v1":          "p",
		"/ip6/::1/udp/1/quic-v1":                "p",
		"/dns4/example.org/udp/1/quic-v1":       "p",
	} {
		a, err := ma.NewMultiaddr(addr)
		require.NoError(t, err)
		require.Equal(t, want, networkOf(a, "p"), addr)
	}
}

// from is a stream of the n-th peer of a network, as the guard is asked to admit it.
func from(net string, n int, id protocol.ID, ended *int) *inbound {
	return &inbound{peer: peer.ID(fmt.Sprint(net, n)), net: net, protocol: id, end: func() { *ended++ }}
}

// However many silent streams many peers of one network open, the streams of another are
// admitted, and none of them is ended.
func TestSilentStreamsOfOneNetworkLeaveOthersTheirs(t *testing.T) {
	g := newStreamLimiter()
	theirs, ours := 0, 0
	for n := range 40 {
		for _, id := range []protocol.ID{CapsuleProtocol, ProfileProtocol, ReceiptProtocol} {
			for range streamsAtOnce {
				_, ok := g.reserve(from("192.0.2.0/24", n, id, &theirs))
				require.True(t, ok)
			}
		}
		for range 3 {
			s := from("198.51.100.0/24", 1, JobProtocol, &ours)
			_, ok := g.reserve(s)
			require.True(t, ok)
			if n%2 == 0 {
				require.True(t, g.speaks(s))
			}
		}
	}
	require.Zero(t, ours)
	require.Equal(t, 40*3*streamsAtOnce-theirs, len(g.silent.streams)-3*20, "those who have most make room")
	require.Len(t, g.silent.streams, silentInAll)
}

// What has been said once buys a share, and no more.
func TestStreamsThatSpokeLeaveOthersTheirs(t *testing.T) {
	g := newStreamLimiter()
	ended := 0
	spoke := func(net string, n int, id protocol.ID) bool {
		s := from(net, n, id, &ended)
		_, ok := g.reserve(s)
		require.True(t, ok)
		if ok = g.speaks(s); !ok {
			g.done(s)
		}
		return ok
	}
	taken := 0
	for n := range 20 {
		for range streamsAtOnce {
			if spoke("192.0.2.0/24", n, JobProtocol) {
				taken++
			}
		}
	}
	require.Equal(t, streamsInAll/2, taken, "jobs of one network, of however many keys")
	require.True(t, spoke("198.51.100.0/24", 1, JobProtocol))
	for net := range 20 {
		for n := range 10 {
			for range streamsAtOnce {
				spoke(fmt.Sprintf("203.0.%d.0/24", net), n, CapsuleProtocol)
			}
		}
	}
	require.Positive(t, ended, "what can be asked again makes room for who has less")
	require.True(t, spoke("198.51.100.0/24", 1, JobProtocol))
	require.Equal(t, taken, *g.heard.nets["192.0.2.0/24"], "no job was ended")
}
