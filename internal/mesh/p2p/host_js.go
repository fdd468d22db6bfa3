package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	blankhost "github.com/libp2p/go-libp2p/p2p/host/blank"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"

	"inos/internal/mesh"
	"inos/internal/mesh/p2p/webtransport"
)

// kind is what Profile.Kind says of this build.
const kind = "browser"

// dials is what an address lacks that this build cannot dial.
const dials = "a browser cannot dial it: expected one with /webtransport, as a node prints it when it starts"

// dhtMode: nobody can dial a browser, so it keeps no records for others.
const dhtMode = dht.ModeClient

// negotiationTime bounds multistream-select on a new stream.
const negotiationTime = 10 * time.Second

// newHost builds the smallest host that the DHT and gossipsub accept: libp2p.New
// does not compile here, and basichost brings relays, NAT traversal and address
// discovery that a browser cannot use.
func newHost(cfg Config, key ic.PrivKey) (host.Host, func() error, error) {
	if len(cfg.Listen) > 0 {
		return nil, nil, fmt.Errorf("%w: listen: %w", mesh.ErrAddress, webtransport.ErrListen)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("p2p: key: %w", err)
	}
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, nil, fmt.Errorf("p2p: peerstore: %w", err)
	}
	fail := func(err error) (host.Host, func() error, error) {
		_ = store.Close()
		return nil, nil, fmt.Errorf("p2p: host: %w", err)
	}
	if err := errors.Join(store.AddPrivKey(id, key), store.AddPubKey(id, key.GetPublic())); err != nil {
		return fail(err)
	}
	bus := eventbus.NewBus()
	sw, err := swarm.NewSwarm(id, store, bus)
	if err != nil {
		return fail(err)
	}
	tr, err := webtransport.New(key, sw.ResourceManager(), nil)
	if err != nil {
		_ = sw.Close()
		return fail(err)
	}
	if err := sw.AddTransport(tr); err != nil {
		_ = sw.Close()
		return fail(err)
	}
	blank := blankhost.NewBlankHost(sw, blankhost.WithEventBus(bus))
	if blank == nil {
		_ = sw.Close()
		return fail(errors.New("no host"))
	}
	h := &browserHost{BlankHost: blank}
	sw.SetStreamHandler(h.accept)
	h.ids, err = identify.NewIDService(h, identify.UserAgent(userAgent), identify.WithTimeout(connectTime))
	if err != nil {
		_ = sw.Close()
		return fail(err)
	}
	h.ids.Start()
	closeAll := func() error {
		return errors.Join(h.ids.Close(), h.BlankHost.Close(), store.Close())
	}
	return h, closeAll, nil
}

// browserHost adds to BlankHost what basichost has: identification before
// anything else, a time limit on negotiation, and no round trip for a protocol
// that the peer is known to speak.
type browserHost struct {
	*blankhost.BlankHost
	ids identify.IDService
}

var _ host.Host = (*browserHost)(nil)

// identifyTries bounds the connections made to one peer in order to know it.
const identifyTries = 4

// Connect returns when the peer is identified. An answer to identify can get
// lost (see webtransport's quirk), and libp2p asks once a connection: so another
// connection is made. A peer that stays unknown is left connected.
func (h *browserHost) Connect(ctx context.Context, info peer.AddrInfo) error {
	for try := 1; ; try++ {
		if err := h.BlankHost.Connect(ctx, info); err != nil {
			return err
		}
		for _, c := range h.Network().ConnsToPeer(info.ID) {
			if err := h.identified(ctx, c); err != nil {
				return err
			}
		}
		known, err := h.Peerstore().GetProtocols(info.ID)
		if err != nil || len(known) > 0 || try == identifyTries {
			return err
		}
		_ = h.Network().ClosePeer(info.ID)
	}
}

func (h *browserHost) identified(ctx context.Context, c network.Conn) error {
	select {
	case <-h.ids.IdentifyWait(c):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("p2p: identify: %w", ctx.Err())
	}
}

// NewStream opens a stream for the first of ids that the peer speaks.
func (h *browserHost) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, negotiationTime)
		defer cancel()
	}
	s, err := h.Network().NewStream(ctx, p)
	if err != nil {
		return nil, err
	}
	named, err := h.negotiate(ctx, s, ids)
	if err != nil {
		_ = s.ResetWithError(network.StreamProtocolNegotiationFailed)
		return nil, err
	}
	return named, nil
}

func (h *browserHost) negotiate(ctx context.Context, s network.Stream, ids []protocol.ID) (network.Stream, error) {
	if err := h.identified(ctx, s.Conn()); err != nil {
		return nil, err
	}
	p := s.Conn().RemotePeer()
	known, err := h.Peerstore().FirstSupportedProtocol(p, ids...)
	if err == nil && known != "" {
		if err := s.SetProtocol(known); err != nil {
			return nil, err
		}
		return &eagerStream{Stream: s, conn: msmux.NewMSSelect(s, known)}, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	chosen, err := msmux.SelectOneOf(ids, s)
	if err != nil {
		return nil, fmt.Errorf("p2p: negotiate: %w", errors.Join(ctx.Err(), err))
	}
	if err := s.SetProtocol(chosen); err != nil {
		return nil, err
	}
	return s, h.Peerstore().AddProtocols(p, chosen)
}

// accept negotiates a stream that a peer opened.
func (h *browserHost) accept(s network.Stream) {
	_ = s.SetDeadline(time.Now().Add(negotiationTime))
	id, handle, err := h.Mux().Negotiate(s)
	if err == nil {
		_ = s.SetDeadline(time.Time{})
		err = s.SetProtocol(id)
	}
	if err != nil {
		_ = s.ResetWithError(network.StreamProtocolNegotiationFailed)
		return
	}
	_ = handle(id, s)
}

// eagerStream sends the name of its protocol with the first bytes of data and
// reads the peer's consent before the first bytes of the answer.
type eagerStream struct {
	network.Stream
	conn io.ReadWriteCloser
}

func (s *eagerStream) Read(p []byte) (int, error)  { return s.conn.Read(p) }
func (s *eagerStream) Write(p []byte) (int, error) { return s.conn.Write(p) }

func (s *eagerStream) Close() error {
	// The negotiation's Close waits for consent that may never come.
	_ = s.Stream.SetReadDeadline(time.Now().Add(negotiationTime))
	return s.conn.Close()
}

func (s *eagerStream) CloseWrite() error {
	if f, ok := s.conn.(interface{ Flush() error }); ok {
		_ = f.Flush()
	}
	return s.Stream.CloseWrite()
}

// dhtHost gives the directory addresses to keep: servers refuse a provider
// without any. A browser is reached through the nodes it is connected to, over
// the connection it opened, and this is how a multiaddr says so.
func dhtHost(h host.Host) host.Host { return throughPeers{h} }

type throughPeers struct{ host.Host }

const maxThrough = 4

func (h throughPeers) Addrs() []ma.Multiaddr {
	var addrs []ma.Multiaddr
	for _, c := range h.Network().Conns() {
		if len(addrs) == maxThrough {
			break
		}
		via, err := ma.NewMultiaddr("/p2p/" + c.RemotePeer().String() + "/p2p-circuit")
		if err == nil {
			addrs = append(addrs, c.RemoteMultiaddr().Encapsulate(via))
		}
	}
	return addrs
}

func listenAddrs(host.Host) []ma.Multiaddr { return nil }

// keptFromLocal recognises Local Network Access.
func keptFromLocal(err error) bool { return errors.Is(err, webtransport.ErrLocalNetwork) }

// wrongCertificate: the browser says nothing of why a handshake failed; that the
// peer does not vouch for the hash is known.
func wrongCertificate(err error) bool { return errors.Is(err, webtransport.ErrCertHash) }
