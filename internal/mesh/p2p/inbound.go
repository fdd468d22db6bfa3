package p2p

import (
	"cmp"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"inos/internal/fault"
	"inos/internal/identity"
)

// errCrowded ends a stream whose peer, or whose peer's network, has its share already.
var errCrowded = fault.Internal("p2p: too many streams of one origin")

// inbound is a stream that another node has opened.
type inbound struct {
	peer     peer.ID
	net      string // its peer's network
	protocol protocol.ID
	end      func() // takes it from whoever serves it

	in       *crowd // that it belongs to
	at       int    // its place there
	order    uint64 // in which it joined
	ofPeer   *int   // how many of its peer there are
	ofNet    *int   // and of its network
	peerName peerOn
}

func newInbound(s network.Stream, id protocol.ID) *inbound {
	return &inbound{
		peer: s.Conn().RemotePeer(), net: networkOf(s.Conn().RemoteMultiaddr(), s.Conn().RemotePeer()), protocol: id,
		end: func() { _ = s.ResetWithError(network.StreamRateLimited) },
	}
}

// networkOf returns the network of an address, which one owner has at least: a /24 of IPv4, a /56
// of IPv6. A peer of this machine, or without an address, counts as a network of its own.
func networkOf(addr ma.Multiaddr, p peer.ID) string {
	ip, err := manet.ToIP(addr)
	if err != nil {
		return string(p)
	}
	a, ok := netip.AddrFromSlice(ip)
	if a = a.Unmap(); !ok || a.IsLoopback() {
		return string(p)
	}
	bits := 56
	if a.Is4() {
		bits = 24
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return string(p)
	}
	return prefix.String()
}

// networkOf is the network of a connected peer; one that is not connected is its own.
func (m *Mesh) networkOf(p identity.PeerID) string {
	id, err := peerID(p)
	if err != nil {
		return string(p)
	}
	for _, c := range m.host.Network().ConnsToPeer(id) {
		return networkOf(c.RemoteMultiaddr(), id)
	}
	return string(id)
}

// crowd is a bounded set of streams that no single peer or network can fill. Not safe for
// concurrent use.
type crowd struct {
	most    int
	streams []*inbound
	joined  uint64
	nets    map[string]*int
	peers   map[peerOn]*int
}

// peerOn is a peer on one network: it may be on several.
type peerOn struct {
	net  string
	peer peer.ID
}

func newCrowd(most int) *crowd {
	return &crowd{most: most, nets: map[string]*int{}, peers: map[peerOn]*int{}}
}

// greediest returns the stream to drop first: the oldest stream of the peer that has most, on the
// network that has most, among those for which spare returns true. It returns nil when there is
// none.
func (c *crowd) greediest(spare func(*inbound) bool) (worst *inbound) {
	for _, s := range c.streams {
		if spare(s) && (worst == nil || s.before(worst)) {
			worst = s
		}
	}
	return worst
}

// before reports whether s leaves before o.
func (s *inbound) before(o *inbound) bool {
	return cmp.Or(cmp.Compare(*o.ofNet, *s.ofNet), cmp.Compare(*o.ofPeer, *s.ofPeer), cmp.Compare(s.order, o.order)) < 0
}

// push adds s and returns the stream that has to leave for it, if any.
func (c *crowd) push(s *inbound) (gone *inbound) {
	if len(c.streams) >= c.most {
		gone = c.greediest(func(*inbound) bool { return true })
		c.leave(gone)
	}
	c.join(s)
	return gone
}

// enter adds s if its network has room in its share. Otherwise it replaces a stream of a network
// that has more and does nothing that somebody waits for.
func (c *crowd) enter(s *inbound) (gone *inbound, ok bool) {
	had := 0
	if n := c.nets[s.net]; n != nil {
		had = *n
	}
	if !share(had, len(c.streams), c.most) {
		gone = c.greediest((*inbound).short)
		if gone == nil || *gone.ofNet <= had+1 {
			return nil, false
		}
		c.leave(gone)
	}
	c.join(s)
	return gone, true
}

// short reports whether s asks for something that is answered at once and can be asked again.
func (s *inbound) short() bool {
	return s.protocol != JobProtocol && s.protocol != CallProtocol && s.protocol != FeedProtocol
}

// share reports whether an origin that has had of the used places of most may have one more: it may
// have as many as are free. So one origin alone has at most half of them, and less the more others
// come; the last to come finds as many free as any other has.
func share(had, used, most int) bool { return had < most-used }

// shares is a number of places of which each origin may have as many as are free. Not safe for
// concurrent use.
type shares struct {
	most, used int
	of         map[string]int
}

func newShares(most int) shares { return shares{most: most, of: map[string]int{}} }

// take reports whether who has got one more place.
func (s *shares) take(who string) bool {
	if !share(s.of[who], s.used, s.most) {
		return false
	}
	s.used++
	s.of[who]++
	return true
}

func (s *shares) give(who string) {
	s.used--
	if s.of[who]--; s.of[who] == 0 {
		delete(s.of, who)
	}
}

func (c *crowd) join(s *inbound) {
	s.peerName = peerOn{s.net, s.peer}
	s.ofNet, s.ofPeer = counter(c.nets, s.net), counter(c.peers, s.peerName)
	*s.ofNet++
	*s.ofPeer++
	c.joined++
	s.in, s.at, s.order = c, len(c.streams), c.joined
	c.streams = append(c.streams, s)
}

func (c *crowd) leave(s *inbound) {
	last := len(c.streams) - 1
	c.streams[s.at] = c.streams[last]
	c.streams[s.at].at = s.at
	c.streams[last] = nil
	c.streams = c.streams[:last]
	if *s.ofNet--; *s.ofNet == 0 {
		delete(c.nets, s.net)
	}
	if *s.ofPeer--; *s.ofPeer == 0 {
		delete(c.peers, s.peerName)
	}
	s.in = nil
}

func counter[K comparable](of map[K]*int, key K) *int {
	n := of[key]
	if n == nil {
		n = new(int)
		of[key] = n
	}
	return n
}
