package inproc

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"inos/internal/clock"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// Member is one node of a Network; it implements mesh.Mesh.
type Member struct {
	net     *Network
	self    identity.PeerID
	handler mesh.Handler
	events  *mesh.EventQueue
	now     func() time.Time // this machine's clock
	serving sync.WaitGroup   // handlers running here

	mu      sync.Mutex
	closed  bool
	down    bool
	life    context.Context // ends when the member goes down or closes
	endLife context.CancelFunc
	conns   map[identity.PeerID]bool
	rtt     map[identity.PeerID]time.Duration
	clocks  map[identity.PeerID]clock.Offset // of peers pinged
	heard   map[identity.PeerID]mesh.Profile
	own     mesh.Profile
	seq     uint64
	deaf    bool // accepts no connections
}

var (
	_ mesh.Mesh   = (*Member)(nil)
	_ mesh.Dialer = (*Member)(nil)
)

func newMember(n *Network, self identity.PeerID, h mesh.Handler) *Member {
	m := &Member{
		net:     n,
		self:    self,
		handler: h,
		events:  mesh.NewEventQueue(n.cfg.Events),
		conns:   map[identity.PeerID]bool{},
		rtt:     map[identity.PeerID]time.Duration{},
		now:     time.Now,
		clocks:  map[identity.PeerID]clock.Offset{},
		heard:   map[identity.PeerID]mesh.Profile{},
	}
	m.life, m.endLife = context.WithCancel(context.Background())
	return m
}

// SetClock gives this member another clock than the machine's, with the same monotonic
// reading, before it is used.
func (m *Member) SetClock(now func() time.Time) { m.now = now }

// Self is the peer id of the key that joined.
func (m *Member) Self() identity.PeerID { return m.self }

// Addrs is one address, which Connect takes on the same network only; none once the
// member has stopped listening.
func (m *Member) Addrs() []string {
	if m.isDeaf() {
		return nil
	}
	return []string{AddrPrefix + string(m.self)}
}

// StopListening makes the member behave like a browser: it connects to others, and nobody can
// connect to it.
func (m *Member) StopListening() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deaf = true
}

func (m *Member) isDeaf() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.deaf
}

// CanDial implements mesh.Dialer.
func (m *Member) CanDial(addrs []string) bool {
	return slices.ContainsFunc(addrs, func(a string) bool { return strings.HasPrefix(a, AddrPrefix) })
}

// Connect takes an address from Addrs and one round trip.
func (m *Member) Connect(ctx context.Context, addr string) (identity.PeerID, error) {
	p, err := parseAddr(addr)
	if err != nil {
		return "", err
	}
	return p, m.reach(ctx, p)
}

// Publish records p's capabilities in the directory and brings p to every other
// member after its link's latency.
func (m *Member) Publish(ctx context.Context, p mesh.Profile) error {
	if err := mesh.ContextError(ctx); err != nil {
		return err
	}
	if _, err := m.alive(); err != nil {
		return err
	}
	p = p.Clone()
	p.Peer, p.Addrs = m.self, m.Addrs()
	now := m.now()
	if err := p.Check(now); err != nil {
		return err
	}
	// What travels has no monotonic reading.
	p.Issued, p.Expires = now.Round(0), clock.Told(p.Expires, now)
	m.mu.Lock()
	m.seq++
	p.Sequence = m.seq
	m.own = p
	m.mu.Unlock()
	m.net.provide(m.self, p.Capabilities)
	for _, other := range m.net.all() {
		if other == m {
			continue
		}
		latency, ok := m.net.link(m.self, other.self)
		switch {
		case !ok:
		case latency == 0:
			other.hear(p)
		default:
			// A timer of a closed member fires into nothing: hear checks.
			time.AfterFunc(latency, func() { other.hear(p) })
		}
	}
	return nil
}

// hear accepts a profile that is newer than the known one, and reports whether it did.
func (m *Member) hear(p mesh.Profile) bool {
	now := m.now()
	m.mu.Lock()
	o := m.clocks[p.Peer]
	p, err := p.Heard(mesh.Source{Ahead: o.AheadAt(now), Measured: o.Known()}, now)
	if err != nil || !p.Expires.After(now) {
		m.mu.Unlock()
		return false
	}
	old, known := m.heard[p.Peer]
	if m.closed || m.down || (known && old.Sequence >= p.Sequence) {
		m.mu.Unlock()
		return false
	}
	m.heard[p.Peer] = p
	m.mu.Unlock()
	m.events.Push(mesh.ProfileHeard{Profile: p.Clone()})
	return true
}

// Find connects to the providers of capability, all at the same time, and
// leaves out those it cannot reach. Sorted by peer id.
func (m *Member) Find(ctx context.Context, capability string) ([]mesh.Profile, error) {
	life, err := m.alive()
	if err != nil {
		return nil, err
	}
	var slowest time.Duration
	var found []*Member
	for _, other := range m.net.providersOf(capability) {
		latency, ok := m.net.link(m.self, other.self)
		if other == m || !ok || other.isDown() || other.isDeaf() && !m.connected(other.self) {
			continue
		}
		if !m.connected(other.self) {
			slowest = max(slowest, 2*latency)
		}
		found = append(found, other)
	}
	if err := wait(ctx, life, nil, slowest); err != nil {
		return nil, err
	}
	var profiles []mesh.Profile
	for _, other := range found {
		p := other.ownProfile()
		if other.isDown() || !slices.Contains(p.Capabilities, capability) || p.Check(other.now()) != nil {
			continue
		}
		m.link(other)
		m.hear(p)
		m.mu.Lock()
		p, ok := m.heard[p.Peer]
		m.mu.Unlock()
		if ok {
			profiles = append(profiles, p.Clone())
		}
	}
	slices.SortFunc(profiles, func(a, b mesh.Profile) int { return cmp.Compare(a.Peer, b.Peer) })
	return profiles, nil
}

// Peers lists the connected peers, sorted by peer id.
func (m *Member) Peers() []mesh.Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	peers := make([]mesh.Peer, 0, len(m.conns))
	for p := range m.conns {
		profile := m.heard[p].Clone()
		profile.Peer = p
		peers = append(peers, mesh.Peer{Profile: profile, Connected: true, Addr: AddrPrefix + string(p), RTT: m.rtt[p], Clock: m.clocks[p]})
	}
	slices.SortFunc(peers, func(a, b mesh.Peer) int { return cmp.Compare(a.Profile.Peer, b.Profile.Peer) })
	return peers
}

// Events is closed by Close.
func (m *Member) Events() <-chan mesh.Event { return m.events.C() }

// Close leaves the network and waits for the handlers that run here; it must
// not be called from one.
func (m *Member) Close() error {
	m.mu.Lock()
	was := m.closed
	m.closed = true
	m.mu.Unlock()
	if !was {
		m.disconnectAll()
		m.net.leave(m)
	}
	m.serving.Wait()
	m.events.Close()
	return nil
}

func (m *Member) setDown(down bool) {
	m.mu.Lock()
	changed := m.down != down && !m.closed
	if changed {
		m.down = down
		if !down {
			m.life, m.endLife = context.WithCancel(context.Background())
		}
	}
	m.mu.Unlock()
	if changed && down {
		m.disconnectAll()
	}
}

func (m *Member) disconnectAll() {
	m.mu.Lock()
	m.endLife()
	peers := make([]identity.PeerID, 0, len(m.conns))
	for p := range m.conns {
		peers = append(peers, p)
	}
	clear(m.conns)
	m.mu.Unlock()
	for _, p := range peers {
		m.events.Push(mesh.PeerDisconnected{Peer: p})
		if other := m.net.member(p); other != nil {
			other.unlink(m.self)
		}
	}
}

func (m *Member) unlink(p identity.PeerID) {
	m.mu.Lock()
	was := m.conns[p]
	delete(m.conns, p)
	m.mu.Unlock()
	if was {
		m.events.Push(mesh.PeerDisconnected{Peer: p})
	}
}

// link makes the connection between two members known to both, and lets each
// hear the other's profile, as an exchange on connecting does.
func (m *Member) link(other *Member) {
	if m.addConn(other.self) {
		if p := other.ownProfile(); p.Peer != "" {
			m.hear(p)
		}
	}
	if other.addConn(m.self) {
		if p := m.ownProfile(); p.Peer != "" {
			other.hear(p)
		}
	}
}

func (m *Member) addConn(p identity.PeerID) bool {
	m.mu.Lock()
	fresh := !m.closed && !m.down && !m.conns[p]
	if fresh {
		m.conns[p] = true
	}
	m.mu.Unlock()
	if fresh {
		m.events.Push(mesh.PeerConnected{Peer: p})
	}
	return fresh
}

// alive returns the context that ends when this member does.
func (m *Member) alive() (context.Context, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return nil, mesh.ErrClosed
	case m.down:
		return nil, fmt.Errorf("%w: %s is down", mesh.ErrUnreachable, m.self)
	}
	return m.life, nil
}

func (m *Member) isDown() bool {
	_, err := m.alive()
	return err != nil
}

func (m *Member) connected(p identity.PeerID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conns[p]
}

func (m *Member) ownProfile() mesh.Profile {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.own.Clone()
}
