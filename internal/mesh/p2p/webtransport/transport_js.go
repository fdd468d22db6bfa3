package webtransport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall/js"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	ma "github.com/multiformats/go-multiaddr"

	"inos/internal/jsinterop"
)

// handshakeTimeout bounds the Noise handshake when the caller's context does not.
const handshakeTimeout = 15 * time.Second

// Transport dials libp2p nodes. Make one with New.
type Transport struct {
	noise     *noise.Transport
	rcmgr     network.ResourceManager
	gater     connmgr.ConnectionGater
	budget    *budget
	callbacks *jsinterop.Callbacks
	class     js.Value // the WebTransport constructor

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
}

var (
	_ transport.Transport    = (*Transport)(nil)
	_ transport.SkipResolver = (*Transport)(nil)
)

// New makes a transport that proves the identity of key. rcmgr and gater may be
// nil. It fails with ErrUnsupported where there is no WebTransport.
func New(key ic.PrivKey, rcmgr network.ResourceManager, gater connmgr.ConnectionGater) (*Transport, error) {
	class := js.Global().Get("WebTransport")
	if class.Type() != js.TypeFunction {
		return nil, ErrUnsupported
	}
	n, err := noise.New(noise.ID, key, nil)
	if err != nil {
		return nil, fmt.Errorf("webtransport: noise: %w", err)
	}
	if rcmgr == nil {
		rcmgr = &network.NullResourceManager{}
	}
	return &Transport{
		noise:     n,
		rcmgr:     rcmgr,
		gater:     gater,
		budget:    newBudget(),
		callbacks: jsinterop.NewCallbacks(),
		class:     class,
		conns:     map[*conn]struct{}{},
	}, nil
}

// Dial connects to p at raddr. Four dials run at once, others wait; after many
// failures dials wait for the budget. Errors match this package's, or ctx's.
func (t *Transport) Dial(ctx context.Context, raddr ma.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	to, err := parseAddr(raddr)
	if err != nil {
		return nil, err
	}
	if !t.callbacks.Acquire() {
		return nil, ErrClosed
	}
	defer t.callbacks.Release()
	scope, err := t.rcmgr.OpenConnection(network.DirOutbound, false, raddr)
	if err != nil {
		return nil, fmt.Errorf("webtransport: resource limit: %w", err)
	}
	c, err := t.dial(ctx, to, p, scope)
	if err != nil {
		scope.Done()
		return nil, err
	}
	return c, nil
}

func (t *Transport) dial(ctx context.Context, to target, p peer.ID, scope network.ConnManagementScope) (*conn, error) {
	if err := scope.SetPeer(p); err != nil {
		return nil, fmt.Errorf("webtransport: resource limit: %w", err)
	}
	end, err := t.budget.begin(ctx)
	if err != nil {
		return nil, err
	}
	session, err := t.open(ctx, to)
	end(err == nil)
	if err != nil {
		return nil, t.explainLocal(to.host, err)
	}
	c, err := newConn(t, session, to, scope)
	if err != nil {
		t.closeSession(session, 0)
		return nil, err
	}
	if err := t.handshake(ctx, c, p); err != nil {
		c.finish(err)
		t.closeSession(session, uint32(network.ConnProtocolNegotiationFailed))
		return nil, err
	}
	if t.gater != nil && !t.gater.InterceptSecured(network.DirOutbound, p, c) {
		c.finish(ErrClosed)
		t.closeSession(session, uint32(network.ConnGated))
		return nil, errors.New("webtransport: gated")
	}
	t.mu.Lock()
	closed := t.closed
	if !closed {
		t.conns[c] = struct{}{}
	}
	t.mu.Unlock()
	if closed {
		c.finish(ErrClosed)
		t.closeSession(session, uint32(network.ConnShutdown))
		return nil, ErrClosed
	}
	return c, nil
}

// open waits for the session to be ready. A dial given up closes it.
func (t *Transport) open(ctx context.Context, to target) (js.Value, error) {
	hashes := make([]any, 0, len(to.hashes))
	for _, mh := range to.hashes {
		hashes = append(hashes, map[string]any{"algorithm": "sha-256", "value": jsinterop.Uint8Array(digest(mh))})
	}
	var session js.Value
	if err := jsinterop.Try(func() {
		session = t.class.New(to.url, map[string]any{"serverCertificateHashes": hashes})
	}); err != nil {
		return js.Value{}, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	ready := make(chan error, 1)
	t.callbacks.Then(session.Get("ready"), func(ok bool, v js.Value) {
		if !ok {
			ready <- fmt.Errorf("%w: %w", ErrHandshake, jsinterop.Reason(v))
			return
		}
		ready <- nil
	})
	select {
	case err := <-ready:
		if err != nil {
			jsinterop.MarkHandled(session.Get("closed"))
			return js.Value{}, err
		}
		return session, nil
	case <-ctx.Done():
		jsinterop.MarkHandled(session.Get("closed"))
		t.closeSession(session, 0)
		return js.Value{}, ctx.Err()
	}
}

// handshake runs Noise over the session's first stream, which then closes.
func (t *Transport) handshake(ctx context.Context, c *conn, p peer.ID) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	s, err := c.openStream(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	check := &certCheck{dialled: c.target.hashes}
	n, err := t.noise.WithSessionOptions(noise.EarlyData(check, nil))
	if err != nil {
		return fmt.Errorf("webtransport: noise: %w", err)
	}
	secured, err := n.SecureOutbound(ctx, handshakeConn{s}, p)
	if err != nil {
		return fmt.Errorf("webtransport: noise: %w", err)
	}
	if !check.passed {
		return fmt.Errorf("%w: it said nothing of them", ErrCertHash)
	}
	c.security = secured
	return nil
}

// closeSession ends a session soon, and is no error on one that failed. The host says why
// not at once.
func (t *Transport) closeSession(session js.Value, code uint32) {
	_, _ = jsinterop.Call(js.Global().Get("__inosStreams"), "end", session, code)
}

func (t *Transport) forget(c *conn) {
	t.mu.Lock()
	delete(t.conns, c)
	t.mu.Unlock()
}

// CanDial reports whether addr is WebTransport with a certificate hash.
func (t *Transport) CanDial(addr ma.Multiaddr) bool { return CanDial(addr) }

// SkipResolve leaves names to the browser, which alone can look them up.
func (t *Transport) SkipResolve(context.Context, ma.Multiaddr) bool { return true }

// Listen fails with ErrListen.
func (t *Transport) Listen(ma.Multiaddr) (transport.Listener, error) { return nil, ErrListen }

// Protocols is WebTransport.
func (t *Transport) Protocols() []int { return []int{ma.P_WEBTRANSPORT} }

// Proxy is false.
func (t *Transport) Proxy() bool { return false }

// Pending counts what JavaScript could still call back for: registered waiters,
// streams among them, and promises that have not settled. Both are 0 on a transport at rest.
func (t *Transport) Pending() (waiters, promises int) {
	waiters, promises = t.callbacks.Pending()
	handles.Range(func(_, s any) bool {
		if s.(*stream).conn.transport == t {
			waiters++
		}
		return true
	})
	return waiters, promises
}

// Close ends all connections and releases the functions JavaScript could call.
func (t *Transport) Close() error {
	t.mu.Lock()
	t.closed = true
	conns := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	for _, c := range conns {
		_ = c.CloseWithError(network.ConnShutdown)
	}
	t.callbacks.Close()
	return nil
}
