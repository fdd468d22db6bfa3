package webtransport

import (
	"context"
	"fmt"
	"sync"
	"syscall/js"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"

	"inos/internal/jsinterop"
)

// conn is a transport.CapableConn on one WebTransport session.
type conn struct {
	transport *Transport
	session   js.Value
	incoming  js.Value // reader of incomingBidirectionalStreams
	target    target
	scope     network.ConnManagementScope
	security  network.ConnSecurity // set by the handshake, before anybody else sees conn

	done chan struct{} // closed at the session's end

	mu        sync.Mutex
	end       error
	streams   map[*stream]struct{}
	accepting bool
	accepted  chan js.Value // one that came while nobody waited
	doneOnce  sync.Once
}

var _ transport.CapableConn = (*conn)(nil)

func newConn(t *Transport, session js.Value, to target, scope network.ConnManagementScope) (*conn, error) {
	c := &conn{
		transport: t,
		session:   session,
		target:    to,
		scope:     scope,
		done:      make(chan struct{}),
		streams:   map[*stream]struct{}{},
		accepted:  make(chan js.Value, 1),
	}
	err := jsinterop.Try(func() { c.incoming = session.Get("incomingBidirectionalStreams").Call("getReader") })
	if err != nil {
		return nil, fmt.Errorf("webtransport: session: %w", err)
	}
	t.callbacks.Then(session.Get("closed"), c.sessionClosed)
	return c, nil
}

// sessionClosed runs when the session ends, whoever ended it.
func (c *conn) sessionClosed(ok bool, v js.Value) {
	if !ok {
		c.finish(&network.ConnError{Remote: true, TransportError: fmt.Errorf("%w: %w", ErrLost, jsinterop.Reason(v))})
		return
	}
	e := &network.ConnError{Remote: true, TransportError: ErrLost}
	if v.Type() == js.TypeObject {
		if code := v.Get("closeCode"); code.Type() == js.TypeNumber {
			e.ErrorCode = network.ConnErrorCode(uint32(code.Float()))
		}
		if text := jsinterop.Text(v, "reason"); text != "" {
			e.TransportError = fmt.Errorf("%w: %s", ErrLost, text)
		}
	}
	c.finish(e)
}

// finish ends the connection for everybody who waits on it. Only the first
// reason counts.
func (c *conn) finish(err error) {
	c.mu.Lock()
	if c.end != nil {
		c.mu.Unlock()
		return
	}
	c.end = err
	streams := make([]*stream, 0, len(c.streams))
	for s := range c.streams {
		streams = append(streams, s)
	}
	c.mu.Unlock()
	close(c.done)
	for _, s := range streams {
		s.fail(err)
	}
}

// ended returns why the session ended, nil while it lasts.
func (c *conn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end
}

func (c *conn) adopt(pair js.Value, opener bool) (*stream, error) {
	s, err := newStream(c, pair, opener)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	end := c.end
	if end == nil {
		c.streams[s] = struct{}{}
	}
	c.mu.Unlock()
	if end != nil {
		s.fail(end)
		s.drop()
		return nil, end
	}
	return s, nil
}

func (c *conn) forget(s *stream) {
	c.mu.Lock()
	delete(c.streams, s)
	c.mu.Unlock()
}

// OpenStream waits while the peer's limit of streams is reached. Opening one
// ahead gains nothing: the browser announces a stream as soon as it is made, and
// a peer resets those on which nothing is said.
func (c *conn) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	s, err := c.openStream(ctx)
	if err != nil {
		return nil, err // not s: a nil *stream is no nil interface
	}
	return s, nil
}

type result struct {
	ok bool
	v  js.Value
}

func (c *conn) openStream(ctx context.Context) (*stream, error) {
	if end := c.ended(); end != nil {
		return nil, end
	}
	promise, err := jsinterop.Call(c.session, "createBidirectionalStream")
	if err != nil {
		return nil, fmt.Errorf("webtransport: open stream: %w", err)
	}
	// Whoever comes second, the promise or the caller that gave up, finds what
	// the other left.
	var mu sync.Mutex
	gaveUp := false
	opened := make(chan result, 1)
	c.transport.callbacks.Then(promise, func(ok bool, v js.Value) {
		mu.Lock()
		late := gaveUp
		if !late {
			opened <- result{ok, v}
		}
		mu.Unlock()
		if late {
			c.discard(ok, v)
		}
	})
	select {
	case r := <-opened:
		if !r.ok {
			if end := c.ended(); end != nil {
				return nil, end
			}
			return nil, fmt.Errorf("webtransport: open stream: %w", jsinterop.Reason(r.v))
		}
		return c.adopt(r.v, true)
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.done:
		err = c.ended()
	}
	mu.Lock()
	gaveUp = true
	mu.Unlock()
	select {
	case r := <-opened:
		c.discard(r.ok, r.v)
	default:
	}
	return nil, err
}

// discard resets a stream that nobody wants any more.
func (c *conn) discard(ok bool, pair js.Value) {
	if ok {
		if s, err := newStream(c, pair, true); err == nil {
			_ = s.ResetWithError(network.StreamNoError)
		}
	}
}

// AcceptStream waits for a stream that the peer opened, or the session's end.
func (c *conn) AcceptStream() (network.MuxedStream, error) {
	for {
		if end := c.ended(); end != nil {
			return nil, end
		}
		c.mu.Lock()
		ask := !c.accepting
		c.accepting = true
		c.mu.Unlock()
		if ask {
			c.transport.callbacks.Then(c.incoming.Call("read"), func(ok bool, v js.Value) {
				// One read is under way at a time, and accepted was empty.
				if ok && !v.Get("done").Bool() {
					c.accepted <- v.Get("value")
				}
				// Otherwise the session ends, and sessionClosed says why.
			})
		}
		select {
		case pair := <-c.accepted:
			c.mu.Lock()
			c.accepting = false
			c.mu.Unlock()
			s, err := c.adopt(pair, false)
			if err != nil {
				return nil, err
			}
			return s, nil
		case <-c.done:
		}
	}
}

// Close ends the session and every stream on it.
func (c *conn) Close() error { return c.CloseWithError(network.ConnNoError) }

// CloseWithError is Close; the peer hears code.
func (c *conn) CloseWithError(code network.ConnErrorCode) error {
	c.doneOnce.Do(func() {
		c.finish(&network.ConnError{ErrorCode: code, TransportError: ErrClosed})
		c.transport.closeSession(c.session, uint32(code))
		c.mu.Lock()
		streams := c.streams
		c.streams = map[*stream]struct{}{}
		c.mu.Unlock()
		for s := range streams {
			s.drop()
		}
		c.scope.Done()
		c.transport.forget(c)
	})
	return nil
}

// IsClosed reports whether the session has ended, whoever ended it.
func (c *conn) IsClosed() bool { return isClosed(c.done) }

// As finds a *js.Value: the WebTransport object.
func (c *conn) As(target any) bool {
	if v, ok := target.(*js.Value); ok {
		*v = c.session
		return true
	}
	return false
}

func (c *conn) LocalPeer() peer.ID             { return c.security.LocalPeer() }
func (c *conn) RemotePeer() peer.ID            { return c.security.RemotePeer() }
func (c *conn) RemotePublicKey() ic.PubKey     { return c.security.RemotePublicKey() }
func (c *conn) LocalMultiaddr() ma.Multiaddr   { return c.target.local }
func (c *conn) RemoteMultiaddr() ma.Multiaddr  { return c.target.remote }
func (c *conn) Scope() network.ConnScope       { return c.scope }
func (c *conn) Transport() transport.Transport { return c.transport }
func (c *conn) ConnState() network.ConnectionState {
	return network.ConnectionState{Transport: "webtransport"}
}
