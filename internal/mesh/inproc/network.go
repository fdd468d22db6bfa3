// Package inproc is a mesh in memory: the same calls as mesh/p2p between any
// number of members of one process, over links whose latency, loss and failures
// the caller sets. It serves simulations and tests of the kernel; every wait
// uses package time, so that it runs in testing/synctest bubbles. It signs and
// encodes nothing: what a member says of itself is believed once it passes
// mesh.Profile.Check.
package inproc

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"sync"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// AddrPrefix starts the address of a member: AddrPrefix + peer id.
const AddrPrefix = "/memory/inos/p2p/"

// Config of a Network. The zero value is a perfect network: no latency.
type Config struct {
	// Latency of a link, one way, for pairs that SetLatency has not set. It must
	// be a pure function and is called with locks held. Nil means 0.
	Latency func(from, to identity.PeerID) time.Duration
	// Events bounds each member's event queue; 0 means mesh.EventQueueLen.
	Events int
}

// Network joins members. Safe for concurrent use.
type Network struct {
	cfg Config

	mu        sync.RWMutex
	members   map[identity.PeerID]*Member
	latency   map[pair]time.Duration
	dropped   map[pair]bool
	providers map[string]map[identity.PeerID]bool
}

type pair struct{ a, b identity.PeerID }

func pairOf(a, b identity.PeerID) pair {
	if b < a {
		a, b = b, a
	}
	return pair{a, b}
}

// New makes an empty network.
func New(cfg Config) *Network {
	return &Network{
		cfg:       cfg,
		members:   map[identity.PeerID]*Member{},
		latency:   map[pair]time.Duration{},
		dropped:   map[pair]bool{},
		providers: map[string]map[identity.PeerID]bool{},
	}
}

// Join adds the owner of key, whose handler answers the others; handler may be
// nil, then jobs end as JobInternal and commands as Unsupported. It fails only
// for a key that is already a member.
func (n *Network) Join(key ed25519.PrivateKey, handler mesh.Handler) (*Member, error) {
	m := newMember(n, identity.PeerIDOf(key.Public().(ed25519.PublicKey)), handler)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.members[m.self] != nil {
		m.events.Close()
		return nil, fmt.Errorf("inproc: %s is a member already", m.self)
	}
	n.members[m.self] = m
	return m, nil
}

// SetLatency sets the one-way latency between a and b, in both directions.
func (n *Network) SetLatency(a, b identity.PeerID, oneWay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.latency[pairOf(a, b)] = oneWay
}

// SetDrop makes everything between a and b vanish without a sign, until it is
// unset: calls end with their context, as over a network that loses packets.
func (n *Network) SetDrop(a, b identity.PeerID, drop bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if drop {
		n.dropped[pairOf(a, b)] = true
	} else {
		delete(n.dropped, pairOf(a, b))
	}
}

// SetDown stops a member as a crash does: its connections close, calls to and
// from it fail with mesh.ErrUnreachable at once, handlers running on it have
// their contexts cancelled. Setting it up again leaves it unconnected; its
// provider records stay, as they would in a DHT. Unknown peers are ignored.
func (n *Network) SetDown(p identity.PeerID, down bool) {
	n.mu.RLock()
	m := n.members[p]
	n.mu.RUnlock()
	if m != nil {
		m.setDown(down)
	}
}

// Close closes every member.
func (n *Network) Close() error {
	for _, m := range n.all() {
		_ = m.Close()
	}
	return nil
}

func (n *Network) all() []*Member {
	n.mu.RLock()
	defer n.mu.RUnlock()
	ms := make([]*Member, 0, len(n.members))
	for _, m := range n.members {
		ms = append(ms, m)
	}
	return ms
}

func (n *Network) member(p identity.PeerID) *Member {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.members[p]
}

// link returns the one-way latency from one member to another and whether
// anything gets through at all.
func (n *Network) link(from, to identity.PeerID) (time.Duration, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.dropped[pairOf(from, to)] {
		return 0, false
	}
	if d, ok := n.latency[pairOf(from, to)]; ok {
		return d, true
	}
	if n.cfg.Latency == nil {
		return 0, true
	}
	return max(0, n.cfg.Latency(from, to)), true
}

func (n *Network) leave(m *Member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.members, m.self)
	for _, ps := range n.providers {
		delete(ps, m.self)
	}
}

func (n *Network) provide(p identity.PeerID, capabilities []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, ps := range n.providers {
		delete(ps, p)
	}
	for _, c := range capabilities {
		if n.providers[c] == nil {
			n.providers[c] = map[identity.PeerID]bool{}
		}
		n.providers[c][p] = true
	}
}

func (n *Network) providersOf(capability string) []*Member {
	n.mu.RLock()
	defer n.mu.RUnlock()
	ms := make([]*Member, 0, len(n.providers[capability]))
	for p := range n.providers[capability] {
		if m := n.members[p]; m != nil {
			ms = append(ms, m)
		}
	}
	return ms
}

func parseAddr(addr string) (identity.PeerID, error) {
	rest, ok := strings.CutPrefix(addr, AddrPrefix)
	if !ok {
		return "", fmt.Errorf("%w: %.120q", mesh.ErrAddress, addr)
	}
	p := identity.PeerID(rest)
	if _, err := p.PublicKey(); err != nil {
		return "", fmt.Errorf("%w: %v", mesh.ErrAddress, err)
	}
	return p, nil
}
