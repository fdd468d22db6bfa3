// Package p2p is the mesh over libp2p, and the only importer of go-libp2p,
// kad-dht and gossipsub. A native node listens on WebTransport and QUIC and
// serves the DHT; a node in a browser dials over the browser's WebTransport and
// is a DHT client. Both speak the same protocols under /inos and answer the same
// mesh.Handler. It emits events and logs nothing.
package p2p

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// Protocols of the mesh (design/contracts.md, section 6).
const (
	Prefix            = "/inos"
	ProfileProtocol   = protocol.ID("/inos/profile/1")
	CapsuleProtocol   = protocol.ID("/inos/capsule/1")
	JobProtocol       = protocol.ID("/inos/job/1")
	LifecycleProtocol = protocol.ID("/inos/lifecycle/1")
	FeedProtocol      = protocol.ID("/inos/feed/1")
	CallProtocol      = protocol.ID("/inos/call/1")
	TraceProtocol     = protocol.ID("/inos/trace/1")
	ReceiptProtocol   = protocol.ID("/inos/receipt/1")
	ChequeProtocol    = protocol.ID("/inos/cheque/1")
	UnearnedProtocol  = protocol.ID("/inos/unearned/1")
	ClockProtocol     = protocol.ID("/inos/clock/1")
	profileTopic      = "/inos/profile/1"
	userAgent         = "inos/1"
)

// Config of a Mesh. Only Key is needed.
type Config struct {
	// Key is the node's identity.
	Key ed25519.PrivateKey
	// Handler answers other nodes. Nil: jobs end as JobInternal, commands as
	// Unsupported, capsules are missing.
	Handler mesh.Handler
	// Requests answers notes by their name; one that has no function is refused.
	Requests map[string]mesh.RequestFunc
	// Listen holds multiaddrs, natively only:
	// "/ip4/127.0.0.1/udp/0/quic-v1/webtransport" for browsers and nodes,
	// "/ip4/127.0.0.1/udp/0/quic-v1" for nodes. In a browser it must be empty.
	Listen []string
	// Announce says which multiaddrs others are told to dial, natively, of those that the
	// node listens on: they need not be the ones that lead to it. nil: the same.
	Announce func(listening []string) []string
	// Bootstrap holds multiaddrs ending in /p2p/ID; each is dialled, with
	// back-off, whenever there is no connection to it. At most 16.
	Bootstrap []string
	// ArtificialLatency delays every answer of this node, pings included, to
	// stand for distance in demonstrations.
	ArtificialLatency time.Duration
	// Now is this machine's clock, with its monotonic reading; nil means time.Now.
	Now func() time.Time
	// Sequence is the number that the profiles of this key have reached: the next has a
	// higher one, whatever the clock says. See Mesh.Sequence.
	Sequence uint64
	// StallTimeout is how long a peer may keep a stream waiting for its next frame;
	// 0 means 15 s. A node that runs a job reports well within it.
	StallTimeout time.Duration
	// FeedIdle is how long a peer that feeds a capsule may send nothing while that
	// capsule could take more; 0 means 1 min.
	FeedIdle time.Duration
	// MaxPeers is how many peers may be connected before those that there is no
	// stream with are closed, natively; 0 means 512. What a browser connects to are
	// the nodes that it chose itself.
	MaxPeers int

	peerGrace   time.Duration // for a new connection; 0 means 30 s
	maxTransfer uint64        // for tests; 0 means mesh.MaxTransfer
}

const (
	defaultSilence   = 15 * time.Second
	defaultFeedIdle  = time.Minute
	defaultMaxPeers  = 512
	defaultPeerGrace = 30 * time.Second
)

// MaxBootstrap is how many bootstrap peers a node may have.
const MaxBootstrap = 16

// Mesh implements mesh.Mesh over libp2p. Make one with New.
type Mesh struct {
	cfg       Config
	self      identity.PeerID
	id        peer.ID
	host      host.Host // answers late when the configuration says so
	closeFn   func() error
	dht       *dht.IpfsDHT
	gossip    *gossip
	profiles  *profileStore
	peers     *peers
	limiter   *streamLimiter
	protected *protections
	partial   *partials
	feeds     feeds
	turns     turns
	clocks    chan struct{} // a token for each clock being measured out of turn
	unknown   chan struct{} // a token for each peer being identified again
	events    *mesh.EventQueue
	provide   *provider

	answering answering

	life    context.Context // ends with Close
	endLife context.CancelFunc
	work    sync.WaitGroup // every goroutine this package starts
	once    sync.Once

	entering sync.Mutex // makes work.Add and the end of life one order

	signing  sync.Mutex
	sequence uint64 // of the last profile signed
}

var (
	_ mesh.Mesh   = (*Mesh)(nil)
	_ mesh.Dialer = (*Mesh)(nil)
)

// New joins the mesh: the node listens, if it is to, and dials its bootstrap
// peers in the background. Errors: mesh.ErrAddress for an address that does not
// parse, otherwise what the host says; all final.
func New(cfg Config) (*Mesh, error) {
	bootstrap, err := prepare(&cfg)
	if err != nil {
		return nil, err
	}
	key, err := ic.UnmarshalEd25519PrivateKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("p2p: key: %w", err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("p2p: key: %w", err)
	}
	m := &Mesh{
		cfg:      cfg,
		self:     identity.PeerIDOf(cfg.Key.Public().(ed25519.PublicKey)),
		id:       id,
		profiles: newProfileStore(cfg.Now),
		peers:    newPeers(),
		limiter:  newStreamLimiter(),
		partial:  newPartials(),
		turns:    turns{of: map[peer.ID]*turn{}},
		clocks:   make(chan struct{}, greetings),
		unknown:  make(chan struct{}, identifyAtOnce),
		events:   mesh.NewEventQueue(0),
	}
	m.profiles.keep, m.profiles.from = m.isNear, m.source
	m.sequence = cfg.Sequence
	m.provide = &provider{m: m, kicked: make(chan struct{}, 1)}
	m.life, m.endLife = context.WithCancel(context.Background())
	if err := m.start(key, bootstrap); err != nil {
		_ = m.Close()
		return nil, err
	}
	return m, nil
}

func prepare(cfg *Config) ([]peer.AddrInfo, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.StallTimeout <= 0 {
		cfg.StallTimeout = defaultSilence
	}
	if cfg.FeedIdle <= 0 {
		cfg.FeedIdle = defaultFeedIdle
	}
	if cfg.maxTransfer == 0 {
		cfg.maxTransfer = mesh.MaxTransfer
	}
	if cfg.MaxPeers <= 0 {
		cfg.MaxPeers = defaultMaxPeers
	}
	if cfg.peerGrace <= 0 {
		cfg.peerGrace = defaultPeerGrace
	}
	if len(cfg.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("p2p: no Ed25519 key")
	}
	if len(cfg.Bootstrap) > MaxBootstrap {
		return nil, fmt.Errorf("p2p: %d bootstrap addresses, at most %d", len(cfg.Bootstrap), MaxBootstrap)
	}
	infos := make([]peer.AddrInfo, 0, len(cfg.Bootstrap))
	for _, addr := range cfg.Bootstrap {
		info, err := parseAddr(addr)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func (m *Mesh) start(key ic.PrivKey, bootstrap []peer.AddrInfo) error {
	inner, closeFn, err := newHost(m.cfg, key)
	if err != nil {
		return err
	}
	m.closeFn = closeFn
	m.host = inner
	if m.cfg.ArtificialLatency > 0 {
		m.host = &latencyHost{Host: inner, by: m.cfg.ArtificialLatency, life: m.life, enter: m.enter, leave: m.work.Done}
	}
	m.protected = newProtections(m.host.ConnManager())
	if err := m.watchPeers(); err != nil {
		return err
	}
	if m.dht, err = newDHT(m.life, m.host); err != nil {
		return fmt.Errorf("p2p: dht: %w", err)
	}
	if m.gossip, err = m.newGossip(); err != nil {
		return fmt.Errorf("p2p: gossip: %w", err)
	}
	m.goWork(m.provide.run)
	m.serveStreams()
	for _, info := range bootstrap {
		m.keepConnected(info)
	}
	return nil
}

// Self is the peer id of the node's key.
func (m *Mesh) Self() identity.PeerID { return m.self }

// Addrs are the multiaddrs others can dial, WebTransport first, each ending in
// /p2p/ID. A node that does not listen has none.
func (m *Mesh) Addrs() []string {
	var addrs []string
	for _, a := range listenAddrs(m.host) {
		addrs = append(addrs, a.String()+"/p2p/"+string(m.self))
	}
	slices.SortStableFunc(addrs, preferWebTransport)
	return addrs
}

// Events is closed by Close.
func (m *Mesh) Events() <-chan mesh.Event { return m.events.C() }

// Close leaves the mesh and returns when everything it started has ended,
// handlers included. It must not be called from a handler.
func (m *Mesh) Close() error {
	var err error
	m.once.Do(func() {
		m.entering.Lock()
		m.endLife()
		m.entering.Unlock()
		if m.dht != nil {
			err = m.dht.Close()
		}
		if m.closeFn != nil {
			err = errors.Join(err, m.closeFn())
		}
		m.work.Wait()
		m.events.Close()
	})
	return err
}

// alive fails with ErrClosed after Close.
func (m *Mesh) alive() error {
	if m.life.Err() != nil {
		return mesh.ErrClosed
	}
	return nil
}

// goWork runs f on a goroutine that Close waits for; after Close it does not.
func (m *Mesh) goWork(f func()) {
	if m.enter() {
		go func() {
			defer m.work.Done()
			f()
		}()
	}
}
