package p2p

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"inos/internal/clock"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/order"
)

const (
	// connectTime bounds what it takes to connect, where the caller does not bound it.
	connectTime = 20 * time.Second
	// dialTime is for the first dial, and each further one has twice as much: QUIC waits
	// twice as long each time for a handshake whose packets get lost, and another one need
	// not lose them.
	dialTime = 5 * time.Second
	// refusedWithin tells a dial that was refused from one that nobody answered: only the
	// second is worth another one at once.
	refusedWithin = 2 * time.Second
	// greetings bounds the profile exchanges started by new connections.
	greetings = 8
)

// peers keeps what is known of connections besides what libp2p keeps.
type peers struct {
	mu   sync.Mutex
	rtt  map[peer.ID]time.Duration
	time map[peer.ID]clock.Offset // of their clocks
	mid  clock.Offset             // of the middle one of them
	here map[peer.ID]bool
	last map[peer.ID]time.Time       // their last signs of life
	left map[peer.ID][]chan struct{} // woken when that peer disconnects
}

func newPeers() *peers {
	return &peers{rtt: map[peer.ID]time.Duration{}, time: map[peer.ID]clock.Offset{}, here: map[peer.ID]bool{}, last: map[peer.ID]time.Time{}, left: map[peer.ID][]chan struct{}{}}
}

func (ps *peers) setRTT(p peer.ID, rtt time.Duration) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.here[p] {
		ps.rtt[p], ps.last[p] = rtt, time.Now()
	}
}

// spoke notes a sign of life of p.
func (ps *peers) spoke(p peer.ID) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.here[p] {
		ps.last[p] = time.Now()
	}
}

// quiet is for how long p has given no sign of life.
func (ps *peers) quiet(p peer.ID) time.Duration {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return time.Since(ps.last[p])
}

func (ps *peers) getRTT(p peer.ID) time.Duration {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.rtt[p]
}

// measured takes in what a measurement says of p's clock.
func (ps *peers) measured(p peer.ID, o clock.Offset) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.here[p] {
		ps.time[p] = ps.time[p].With(o)
		ps.reckon(o.At)
	}
}

// clock is how far p's clock is ahead of this node's, if that has been measured over a
// connection that is there.
func (ps *peers) clock(p peer.ID) clock.Offset {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.time[p]
}

// middle is how far the connected peers' clocks are ahead of this node's: the middle one.
func (ps *peers) middle(now time.Time) time.Duration {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.mid.AheadAt(now)
}

// reckon finds the middle one anew, with mu held: for every profile that comes by gossip it
// would be too much.
func (ps *peers) reckon(now time.Time) {
	all := make([]time.Duration, 0, len(ps.time))
	for _, o := range ps.time {
		all = append(all, o.AheadAt(now))
	}
	ps.mid = clock.Offset{Ahead: clock.Median(all), At: now}
}

// set notes that p is here or not, and says whether that is news.
func (ps *peers) set(p peer.ID, here bool) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.here[p] == here {
		return false
	}
	if here {
		ps.here[p], ps.last[p] = true, time.Now()
		return true
	}
	delete(ps.here, p)
	delete(ps.rtt, p)
	delete(ps.last, p)
	delete(ps.time, p)
	for _, ch := range ps.left[p] {
		close(ch)
	}
	delete(ps.left, p)
	return true
}

// untilLeft is closed when p disconnects; at once when it is not connected.
func (ps *peers) untilLeft(p peer.ID) <-chan struct{} {
	ch := make(chan struct{})
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if !ps.here[p] {
		close(ch)
		return ch
	}
	ps.left[p] = append(ps.left[p], ch)
	return ch
}

// isNear says that p is this node or connected to it.
func (m *Mesh) isNear(p identity.PeerID) bool {
	if p == m.self {
		return true
	}
	id, err := peerID(p)
	return err == nil && m.peers.isHere(id)
}

func (ps *peers) isHere(p peer.ID) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.here[p]
}

// watchPeers turns the host's events into the mesh's.
func (m *Mesh) watchPeers() error {
	sub, err := m.host.EventBus().Subscribe([]any{
		new(event.EvtPeerConnectednessChanged),
		new(event.EvtPeerIdentificationCompleted),
		new(event.EvtPeerIdentificationFailed),
	}, eventbus.BufSize(256), eventbus.Name("inos"))
	if err != nil {
		return fmt.Errorf("p2p: events: %w", err)
	}
	greeting := make(chan struct{}, greetings)
	m.goWork(func() {
		defer sub.Close()
		for {
			select {
			case e, ok := <-sub.Out():
				if !ok {
					return
				}
				switch e := e.(type) {
				case event.EvtPeerConnectednessChanged:
					m.connectedness(e.Peer, e.Connectedness)
				case event.EvtPeerIdentificationCompleted:
					m.identified(e, greeting)
				case event.EvtPeerIdentificationFailed:
					m.identifyAgain(e)
				}
			case <-m.life.Done():
				return
			}
		}
	})
	return nil
}

func (m *Mesh) connectedness(p peer.ID, c network.Connectedness) {
	here := c == network.Connected
	if !m.peers.set(p, here) {
		return
	}
	if here {
		m.events.Push(mesh.PeerConnected{Peer: nameOf(p)})
		return
	}
	m.limiter.forget(p)
	m.events.Push(mesh.PeerDisconnected{Peer: nameOf(p)})
}

// identified exchanges profiles with a node that speaks our protocols. The side
// that dialled opens the exchange, which goes both ways.
func (m *Mesh) identified(e event.EvtPeerIdentificationCompleted, greeting chan struct{}) {
	if slices.Contains(e.Protocols, kadProtocol) {
		m.provide.kick()
	}
	if slices.Contains(e.Protocols, ClockProtocol) {
		m.meetClock(e.Peer)
	}
	if e.Conn.Stat().Direction != network.DirOutbound || !slices.Contains(e.Protocols, ProfileProtocol) {
		return
	}
	select {
	case greeting <- struct{}{}:
	default:
		return // gossip and Find reach it later
	}
	m.goWork(func() {
		defer func() { <-greeting }()
		ctx, cancel := context.WithTimeout(m.life, m.cfg.StallTimeout)
		defer cancel()
		_, _ = m.exchange(ctx, e.Peer) // what it said is in the book; what failed comes again
	})
}

// Connect dials addr, which ends in /p2p/ID. Errors: mesh.ErrAddress,
// ErrCertificate, ErrSignature (another peer answers), ErrUnreachable,
// ErrTimeout, ErrCancelled.
func (m *Mesh) Connect(ctx context.Context, addr string) (identity.PeerID, error) {
	if err := m.alive(); err != nil {
		return "", err
	}
	info, err := parseAddr(addr)
	if err != nil {
		return "", err
	}
	return nameOf(info.ID), m.connect(ctx, info)
}

// CanDial implements mesh.Dialer: whether this build has a transport for one of addrs.
func (m *Mesh) CanDial(addrs []string) bool {
	sw, ok := m.host.Network().(*swarm.Swarm)
	if !ok {
		return true
	}
	return slices.ContainsFunc(addrs, func(addr string) bool {
		info, err := parseAddr(addr)
		return err == nil && slices.ContainsFunc(info.Addrs, func(a ma.Multiaddr) bool { return sw.TransportForDialing(a) != nil })
	})
}

func (m *Mesh) connect(ctx context.Context, info peer.AddrInfo) error {
	if info.ID == m.id {
		return fmt.Errorf("%w: that is this node", mesh.ErrAddress)
	}
	if sw, ok := m.host.Network().(*swarm.Swarm); ok {
		if !slices.ContainsFunc(info.Addrs, func(a ma.Multiaddr) bool { return sw.TransportForDialing(a) != nil }) {
			return fmt.Errorf("%w: %s: nothing here dials %v", mesh.ErrAddress, nameOf(info.ID), info.Addrs)
		}
		// Whoever asks by address wants a dial, whatever failed before.
		sw.Backoff().Clear(info.ID)
	}
	dialCtx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	for limit := dialTime; ; limit *= 2 {
		began := time.Now()
		one, stop := context.WithTimeout(dialCtx, limit)
		err := m.host.Connect(one, info)
		stop()
		if err == nil {
			return nil
		}
		err = m.explain(ctx, nameOf(info.ID), fmt.Errorf("%w: %w", errNoConnection, err))
		if dialCtx.Err() != nil || !errors.Is(err, mesh.ErrUnreachable) || time.Since(began) < refusedWithin {
			return err
		}
		if sw, ok := m.host.Network().(*swarm.Swarm); ok {
			sw.Backoff().Clear(info.ID)
		}
	}
}

// keepConnected dials info whenever there is no connection to it.
func (m *Mesh) keepConnected(info peer.AddrInfo) {
	const first, longest = 500 * time.Millisecond, 30 * time.Second
	m.host.ConnManager().Protect(info.ID, holdBootstrap)
	m.goWork(func() {
		pause := first
		for m.life.Err() == nil {
			if m.connect(m.life, info) == nil {
				pause = first
				select {
				case <-m.peers.untilLeft(info.ID):
				case <-m.life.Done():
					return
				}
			}
			// Not all who lost the same node come back at the same moment.
			t := time.NewTimer(pause + rand.N(pause/4))
			select {
			case <-t.C:
			case <-m.life.Done():
				t.Stop()
				return
			}
			pause = min(2*pause, longest)
		}
	})
}

// Peers lists the connected peers, sorted by peer id.
func (m *Mesh) Peers() []mesh.Peer {
	var list []mesh.Peer
	for _, id := range m.host.Network().Peers() {
		p := nameOf(id)
		profile, _ := m.profiles.get(p)
		profile.Peer = p
		one := mesh.Peer{Profile: profile, Connected: true, RTT: m.peers.getRTT(id), Clock: m.peers.clock(id)}
		if conns := m.host.Network().ConnsToPeer(id); len(conns) > 0 {
			one.Addr = conns[0].RemoteMultiaddr().String() + "/p2p/" + string(p)
		}
		list = append(list, one)
	}
	order.By(list, func(a, b mesh.Peer) int { return cmp.Compare(a.Profile.Peer, b.Profile.Peer) })
	return list
}

// open starts a stream to p, over the connection there is or a new one, and
// ties it to ctx: when ctx ends, reads and writes fail at once. The caller ends
// the stream with the function returned, giving the error it saw.
func (m *Mesh) open(ctx context.Context, p identity.PeerID, id protocol.ID) (*frames, func(error), error) {
	if err := m.alive(); err != nil {
		return nil, nil, err
	}
	pid, err := peerID(p)
	if err != nil {
		return nil, nil, err
	}
	if pid == m.id {
		return nil, nil, fmt.Errorf("%w: that is this node", mesh.ErrUnreachable)
	}
	openCtx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	m.protected.protect(pid)
	s, err := m.host.NewStream(openCtx, pid, id)
	if err != nil {
		m.protected.release(pid)
		return nil, nil, m.explain(ctx, p, fmt.Errorf("%w: %w", errNoConnection, err))
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	fs := newFrames(s, m.cfg.StallTimeout)
	fs.slow = &slowPlace{of: m.limiter, net: networkOf(s.Conn().RemoteMultiaddr(), pid)}
	return fs, func(err error) {
		defer m.protected.release(pid)
		defer fs.slow.leave()
		stop()
		if err != nil {
			_ = s.Reset()
			return
		}
		_ = s.Close()
	}, nil
}
