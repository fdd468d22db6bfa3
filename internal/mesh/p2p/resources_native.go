//go:build !js

package p2p

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
)

// What others may have of libp2p's own: connections, and streams of any protocol or of none
// yet. A limit that all peers reach together shuts everybody out, whoever reached it; so the
// ones that decide are those of a peer and of a network.
const (
	inboundInAll    = 8192 // streams
	handshakesInAll = 256  // connections whose peer is not known yet
	connsOfAddress  = 16   // an IPv4 address, an IPv6 /56
	connsOfNetwork  = 64   // an IPv4 /24, an IPv6 /48
)

// resources is libp2p's resource manager with a share of the inbound streams for each
// network.
type resources struct {
	network.ResourceManager
	net atomic.Pointer[network.Network] // that says where a peer is

	mu      sync.Mutex
	inbound shares
}

func newResources(maxPeers int) (*resources, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	// The connection manager makes room when there are more than MaxPeers: it has to see them.
	conns := 2*maxPeers + handshakesInAll
	for _, l := range []*rcmgr.BaseLimit{&limits.SystemBaseLimit, &limits.TransientBaseLimit} {
		l.Streams, l.StreamsInbound = 2*inboundInAll, inboundInAll
	}
	limits.SystemBaseLimit.ConnsInbound, limits.SystemBaseLimit.Conns = conns, 2*conns
	limits.SystemBaseLimit.Memory, limits.TransientBaseLimit.Memory = 1<<30, 1<<30
	limits.TransientBaseLimit.ConnsInbound, limits.TransientBaseLimit.Conns = handshakesInAll, 2*handshakesInAll
	all := rcmgr.BaseLimit{Streams: 2 * inboundInAll, StreamsInbound: inboundInAll, StreamsOutbound: inboundInAll, Memory: 1 << 30}
	limits.ProtocolBaseLimit, limits.ServiceBaseLimit = all, all
	for id := range limits.ProtocolLimits {
		limits.AddProtocolLimit(id, all, rcmgr.BaseLimitIncrease{})
	}
	for name := range limits.ServiceLimits {
		limits.AddServiceLimit(name, all, rcmgr.BaseLimitIncrease{})
	}
	for _, id := range inosProtocols {
		// The guard of this package has the last word; the default would refuse a
		// peer's 65th stream of a protocol.
		limits.AddProtocolPeerLimit(id, rcmgr.BaseLimit{
			Streams: 512, StreamsInbound: 256, StreamsOutbound: 256, Memory: 64 << 20,
		}, rcmgr.BaseLimitIncrease{})
	}
	// Two pings of one peer at a time, the default, fail callers that measure three
	// times in a row: a stream counts until its end has been heard.
	pings := rcmgr.BaseLimit{Streams: 64, StreamsInbound: 64, StreamsOutbound: 64, Memory: 1 << 20}
	limits.AddServicePeerLimit(ping.ServiceName, pings, rcmgr.BaseLimitIncrease{})
	limits.AddProtocolPeerLimit(ping.ID, pings, rcmgr.BaseLimitIncrease{})
	inner, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.AutoScale()), rcmgr.WithLimitPerSubnet(
		[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsOfAddress}, {PrefixLength: 24, ConnCount: connsOfNetwork}},
		[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsOfAddress}, {PrefixLength: 48, ConnCount: connsOfNetwork}}))
	if err != nil {
		return nil, fmt.Errorf("p2p: resource limits: %w", err)
	}
	return &resources{ResourceManager: inner, inbound: newShares(inboundInAll)}, nil
}

// know tells where to ask for a peer's address.
func (r *resources) know(n network.Network) { r.net.Store(&n) }

// network is that of p; a peer whose connection is not known is its own.
func (r *resources) network(p peer.ID) string {
	if n := r.net.Load(); n != nil {
		if conns := (*n).ConnsToPeer(p); len(conns) > 0 {
			return networkOf(conns[0].RemoteMultiaddr(), p)
		}
	}
	return string(p)
}

// OpenStream implements network.ResourceManager.
func (r *resources) OpenStream(p peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	if dir != network.DirInbound {
		return r.ResourceManager.OpenStream(p, dir)
	}
	net := r.network(p)
	r.mu.Lock()
	ok := r.inbound.take(net)
	r.mu.Unlock()
	if !ok {
		return nil, errors.Join(network.ErrResourceLimitExceeded, errCrowded)
	}
	s, err := r.ResourceManager.OpenStream(p, dir)
	if err != nil {
		r.left(net)
		return nil, err
	}
	return &countedStream{StreamManagementScope: s, left: func() { r.left(net) }}, nil
}

func (r *resources) left(net string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inbound.give(net)
}

// countedStream is the scope of a stream that counts until it is done.
type countedStream struct {
	network.StreamManagementScope
	once sync.Once
	left func()
}

// Done implements network.ResourceScopeSpan.
func (c *countedStream) Done() {
	c.StreamManagementScope.Done()
	c.once.Do(c.left)
}
