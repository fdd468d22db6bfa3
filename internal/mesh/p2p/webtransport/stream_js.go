package webtransport

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall/js"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

const (
	// chunkBytes is the most that one write hands to the browser.
	chunkBytes = 64 << 10
	// writesInFlight bounds the chunks that the browser has not taken: a few keep
	// its pipe busy while Go makes the next.
	writesInFlight = 4
)

// stream is a network.MuxedStream on a WebTransportBidirectionalStream. Reads
// ask the browser for data only when a Read waits, writes wait for the promise
// of the write before last: QUIC's flow control reaches the caller both ways.
type stream struct {
	conn           *conn
	opener         bool // this side opened it
	reader, writer js.Value
	onRead         *waiter
	onWrite        *waiter
	readEnd        deadline
	writeEnd       deadline
	readWake       chan struct{} // capacity 1
	writeWake      chan struct{} // capacity 1

	mu       sync.Mutex
	unread   []byte // tail of store
	store    []byte
	into     []byte // buffer of the Read that waits
	got      int    // bytes placed into it
	reading  bool   // a read of the browser is under way
	readErr  error  // final
	writing  int    // writes under way
	writeErr error  // final
	finSent  bool
	dropped  bool
}

var _ network.MuxedStream = (*stream)(nil)

func newStream(c *conn, pair js.Value, opener bool) (*stream, error) {
	s := &stream{conn: c, opener: opener, readWake: make(chan struct{}, 1), writeWake: make(chan struct{}, 1)}
	_, err := try(func() js.Value {
		s.reader = pair.Get("readable").Call("getReader")
		s.writer = pair.Get("writable").Call("getWriter")
		return js.Undefined()
	})
	if err != nil {
		return nil, err
	}
	s.onRead = c.transport.promises.waiter(s.readSettled)
	s.onWrite = c.transport.promises.waiter(s.writeSettled)
	return s, nil
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Read blocks for the first bytes, the end, a reset or the read deadline.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	over := s.readEnd.passed()
	for {
		if isClosed(over) {
			return 0, os.ErrDeadlineExceeded
		}
		n, err, ask := s.tryRead(p)
		if n > 0 || err != nil {
			return n, err
		}
		if ask {
			s.onRead.await(s.reader.Call("read"))
		}
		select {
		case <-s.readWake:
		case <-over:
		}
		if n := s.takeBack(); n > 0 {
			return n, nil
		}
	}
}

// tryRead serves p from what is there; if nothing is, p becomes the place for
// what comes, and ask says that the browser has to be asked.
func (s *stream) tryRead(p []byte) (n int, err error, ask bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unread) > 0 {
		n = copy(p, s.unread)
		s.unread = s.unread[n:]
		return n, nil, false
	}
	if s.readErr != nil {
		signal(s.readWake) // another Read may wait too
		return 0, s.readErr, false
	}
	if s.into == nil {
		s.into, s.got = p, 0
	}
	ask = !s.reading
	s.reading = true
	return 0, nil, ask
}

// takeBack ends the loan of a Read's buffer.
func (s *stream) takeBack() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.got
	s.into, s.got = nil, 0
	return n
}

func (s *stream) readSettled(ok bool, v js.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	switch {
	case s.readErr != nil:
	case !ok:
		s.readErr = s.translate(reason(v))
	case v.Get("done").Bool():
		s.readErr = io.EOF
	default:
		data := v.Get("value")
		n := data.Get("byteLength").Int()
		if s.into != nil && n <= len(s.into) {
			s.got = js.CopyBytesToGo(s.into, data)
			break
		}
		if cap(s.store) < n {
			s.store = make([]byte, n)
		}
		s.unread = s.store[:n]
		js.CopyBytesToGo(s.unread, data)
	}
	signal(s.readWake)
}

// Write returns when the browser has all of p, or on a reset or the write
// deadline. p is not retained.
func (s *stream) Write(p []byte) (int, error) {
	over := s.writeEnd.passed()
	written := 0
	for {
		late := isClosed(over)
		s.mu.Lock()
		err, room := s.writeErr, s.writing < writesInFlight
		if err == nil && !late && room && written < len(p) {
			s.writing++
		}
		s.mu.Unlock()
		switch {
		case err != nil:
			signal(s.writeWake)
			return written, err
		case late:
			return written, os.ErrDeadlineExceeded
		case written == len(p):
			if s.opener && lastWords(p) {
				return written, s.CloseWrite()
			}
			return written, nil
		case room:
			n := min(chunkBytes, len(p)-written)
			s.send(p[written : written+n])
			written += n
			continue
		}
		select {
		case <-s.writeWake:
		case <-over:
		}
	}
}

func (s *stream) send(p []byte) {
	data := js.Global().Get("Uint8Array").New(len(p))
	js.CopyBytesToJS(data, p)
	s.onWrite.await(s.writer.Call("write", data))
}

func (s *stream) writeSettled(ok bool, v js.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing--
	if !ok && s.writeErr == nil {
		s.writeErr = s.translate(reason(v))
	}
	signal(s.writeWake)
}

// translate turns a browser's reason into what go-libp2p's callers look for.
func (s *stream) translate(err error) error {
	if end := s.conn.ended(); end != nil {
		return end
	}
	e, ok := err.(*jsError)
	if ok && e.Source == "session" {
		return &network.ConnError{Remote: true, TransportError: fmt.Errorf("%w: %w", ErrLost, err)}
	}
	// Firefox gives a TypeError without source or code for a reset.
	var code uint32
	if ok && e.HasCode {
		code = e.Code
	}
	return &network.StreamError{ErrorCode: network.StreamErrorCode(code), Remote: true, TransportError: err}
}

// CloseWrite sends what was written and the end of the stream.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	send := s.writeErr == nil && !s.finSent
	s.finSent = true
	if s.writeErr == nil {
		s.writeErr = fmt.Errorf("%w for writing", ErrClosed)
	}
	s.mu.Unlock()
	signal(s.writeWake)
	if send {
		s.conn.transport.promises.ignore(s.writer.Call("close"))
	}
	return nil
}

// CloseRead tells the peer to send no more; reads fail from here on.
func (s *stream) CloseRead() error {
	s.endRead(fmt.Errorf("%w for reading", ErrClosed), network.StreamNoError)
	return nil
}

func (s *stream) endRead(err error, code network.StreamErrorCode) {
	s.mu.Lock()
	cancel := s.readErr == nil
	if cancel {
		s.readErr = err
		s.unread = nil
	} else if s.readErr == io.EOF {
		s.readErr, s.unread = err, nil
	}
	s.mu.Unlock()
	signal(s.readWake)
	if cancel {
		s.conn.transport.promises.ignore(s.reader.Call("cancel", s.conn.transport.streamError(code)))
	}
}

// Close is CloseRead and CloseWrite; what was written is still sent.
func (s *stream) Close() error {
	_ = s.CloseWrite()
	_ = s.CloseRead()
	s.drop()
	return nil
}

// Reset is ResetWithError(0).
func (s *stream) Reset() error { return s.ResetWithError(network.StreamNoError) }

// ResetWithError discards both directions; the peer hears code where browser and
// peer carry codes.
func (s *stream) ResetWithError(code network.StreamErrorCode) error {
	end := &network.StreamError{ErrorCode: code}
	s.mu.Lock()
	s.writeErr = end
	s.mu.Unlock()
	signal(s.writeWake)
	// Also after CloseWrite, to take back what the browser still holds.
	s.conn.transport.promises.ignore(s.writer.Call("abort", s.conn.transport.streamError(code)))
	s.endRead(end, code)
	s.drop()
	return nil
}

// fail ends both directions without telling anybody: the session is gone.
func (s *stream) fail(err error) {
	s.mu.Lock()
	if s.readErr == nil {
		s.readErr = err
	}
	if s.writeErr == nil {
		s.writeErr = err
	}
	s.mu.Unlock()
	signal(s.readWake)
	signal(s.writeWake)
}

// drop frees what the stream holds outside itself.
func (s *stream) drop() {
	s.mu.Lock()
	was := s.dropped
	s.dropped = true
	s.mu.Unlock()
	if was {
		return
	}
	s.onRead.drop()
	s.onWrite.drop()
	s.readEnd.stop()
	s.writeEnd.stop()
	s.conn.forget(s)
}

// SetDeadline moves both deadlines; it never fails.
func (s *stream) SetDeadline(t time.Time) error {
	s.readEnd.set(t)
	s.writeEnd.set(t)
	return nil
}

// SetReadDeadline moves the deadline of reads, also of one under way.
func (s *stream) SetReadDeadline(t time.Time) error { s.readEnd.set(t); return nil }

// SetWriteDeadline moves the deadline of writes, also of one under way.
func (s *stream) SetWriteDeadline(t time.Time) error { s.writeEnd.set(t); return nil }

// handshakeConn gives Noise the net.Conn it asks for.
type handshakeConn struct{ *stream }

func (c handshakeConn) LocalAddr() net.Addr  { return browserAddr{} }
func (c handshakeConn) RemoteAddr() net.Addr { return browserAddr{} }

type browserAddr struct{}

func (browserAddr) Network() string { return "webtransport" }
func (browserAddr) String() string  { return "browser" }
