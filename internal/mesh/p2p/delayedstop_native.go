//go:build !js

package p2p

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/pnet"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	webtransport "github.com/libp2p/go-libp2p/p2p/transport/webtransport"
	ma "github.com/multiformats/go-multiaddr"

	"inos/internal/fault"
)

// stopDelay is how long a closed stream waits for the peer to finish its side.
const stopDelay = 15 * time.Second

// delayedStop is go-libp2p's WebTransport, but closing a stream does not tell the
// peer to stop sending before the peer has had time to finish by itself. Firefox
// (153) discards what it has received but not yet read when STOP_SENDING
// arrives, and QUIC puts that frame ahead of the last data: an answer followed
// by Close, as libp2p's identify does it, never reached the page.
type delayedStop struct {
	transport.Transport
	streams sync.WaitGroup
}

// make has the signature that libp2p.Transport fills in.
func (l *delayedStop) make(key ic.PrivKey, psk pnet.PSK, cm *quicreuse.ConnManager, gater connmgr.ConnectionGater, rcmgr network.ResourceManager) (transport.Transport, error) {
	t, err := webtransport.New(key, psk, cm, gater, rcmgr)
	if err != nil {
		return nil, err
	}
	l.Transport = t
	return l, nil
}

// Dial implements transport.Transport.
func (l *delayedStop) Dial(ctx context.Context, addr ma.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	c, err := l.Transport.Dial(ctx, addr, p)
	if err != nil {
		return nil, err
	}
	return newDelayedStopConn(c, l), nil
}

// Listen implements transport.Transport.
func (l *delayedStop) Listen(addr ma.Multiaddr) (transport.Listener, error) {
	ln, err := l.Transport.Listen(addr)
	if err != nil {
		return nil, err
	}
	return &delayedStopListener{ln, l}, nil
}

// Resolve implements transport.Resolver.
func (l *delayedStop) Resolve(ctx context.Context, addr ma.Multiaddr) ([]ma.Multiaddr, error) {
	if r, ok := l.Transport.(transport.Resolver); ok {
		return r.Resolve(ctx, addr)
	}
	return []ma.Multiaddr{addr}, nil
}

// AddCertHashes is what the swarm asks a transport for.
func (l *delayedStop) AddCertHashes(addr ma.Multiaddr) (ma.Multiaddr, bool) {
	if h, ok := l.Transport.(interface {
		AddCertHashes(ma.Multiaddr) (ma.Multiaddr, bool)
	}); ok {
		return h.AddCertHashes(addr)
	}
	return addr, false
}

// Close implements io.Closer.
func (l *delayedStop) Close() error {
	if c, ok := l.Transport.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

type delayedStopListener struct {
	transport.Listener
	l *delayedStop
}

func (ln *delayedStopListener) Accept() (transport.CapableConn, error) {
	c, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newDelayedStopConn(c, ln.l), nil
}

type delayedStopConn struct {
	transport.CapableConn
	l *delayedStop

	mu      sync.Mutex
	closed  bool
	closing map[*delayedStopStream]struct{} // streams whose stop is delayed
}

func newDelayedStopConn(c transport.CapableConn, l *delayedStop) *delayedStopConn {
	return &delayedStopConn{CapableConn: c, l: l, closing: map[*delayedStopStream]struct{}{}}
}

func (c *delayedStopConn) Transport() transport.Transport { return c.l }

func (c *delayedStopConn) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	s, err := c.CapableConn.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	return &delayedStopStream{MuxedStream: s, c: c}, nil
}

func (c *delayedStopConn) AcceptStream() (network.MuxedStream, error) {
	s, err := c.CapableConn.AcceptStream()
	if err != nil {
		return nil, err
	}
	return &delayedStopStream{MuxedStream: s, c: c}, nil
}

func (c *delayedStopConn) Close() error { return c.CloseWithError(network.ConnNoError) }

func (c *delayedStopConn) CloseWithError(code network.ConnErrorCode) error {
	err := c.CapableConn.CloseWithError(code)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for s := range c.closing {
		s.wake()
	}
	return err
}

// delayStop runs read on a goroutine that the transport's owner waits for.
func (c *delayedStopConn) delayStop(s *delayedStopStream, read func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closing[s] = struct{}{}
	_ = s.MuxedStream.SetReadDeadline(time.Now().Add(stopDelay))
	c.l.streams.Go(func() {
		read()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.closing, s)
	})
}

// errStreamClosed is what reads of a closed stream give.
var errStreamClosed = fault.Internal("p2p: stream closed")

type delayedStopStream struct {
	network.MuxedStream
	c       *delayedStopConn
	ended   atomic.Bool // the peer's side: an end or an error was read
	unheard atomic.Bool // CloseRead was called
	drained sync.Once
}

func (s *delayedStopStream) Read(p []byte) (int, error) {
	if s.unheard.Load() {
		return 0, errStreamClosed
	}
	n, err := s.MuxedStream.Read(p)
	switch {
	case s.unheard.Load():
		return 0, errStreamClosed
	case err != nil && !isTimeout(err):
		s.ended.Store(true)
	}
	return n, err
}

// SetReadDeadline does nothing once reading is closed: the rest of the stream
// has a deadline of its own then.
func (s *delayedStopStream) SetReadDeadline(t time.Time) error {
	if s.unheard.Load() {
		return nil
	}
	return s.MuxedStream.SetReadDeadline(t)
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (s *delayedStopStream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.MuxedStream.SetWriteDeadline(t))
}

// wake makes a Read under way come back.
func (s *delayedStopStream) wake() { _ = s.MuxedStream.SetReadDeadline(time.Unix(1, 0)) }

// Reset is ResetWithError(0).
func (s *delayedStopStream) Reset() error { return s.ResetWithError(network.StreamNoError) }

// ResetWithError also ends reads that webtransport-go keeps waiting for a close
// of the session, which it does without regard to the reset.
func (s *delayedStopStream) ResetWithError(code network.StreamErrorCode) error {
	s.unheard.Store(true)
	err := s.MuxedStream.ResetWithError(code)
	s.wake()
	return err
}

// CloseRead interrupts reads, and reads on for nobody until the peer ends its
// side or the delay is over.
func (s *delayedStopStream) CloseRead() error {
	s.unheard.Store(true)
	if s.ended.Load() {
		return nil
	}
	s.drained.Do(func() {
		s.wake()
		s.c.delayStop(s, func() {
			if _, err := io.Copy(io.Discard, s.MuxedStream); err != nil {
				_ = s.MuxedStream.CloseRead()
			}
		})
	})
	return nil
}

// Close is CloseWrite and CloseRead.
func (s *delayedStopStream) Close() error {
	err := s.MuxedStream.CloseWrite()
	_ = s.CloseRead()
	return err
}
