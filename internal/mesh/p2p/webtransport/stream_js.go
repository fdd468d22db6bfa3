package webtransport

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall/js"
	"time"
	"unsafe"

	"github.com/libp2p/go-libp2p/core/network"
)

const (
	// chunkBytes is the most that one write hands to the browser.
	chunkBytes = 64 << 10
	// writesInFlight bounds the chunks that the browser has not taken: a few keep
	// its pipe busy while Go makes the next.
	writesInFlight = 4
)

// stream is a network.MuxedStream on a WebTransportBidirectionalStream, which the
// page's side holds (host_js.go). Reads ask the browser for data only when a Read
// waits, writes wait for the write before last: QUIC's flow control reaches the
// caller both ways.
type stream struct {
	conn      *conn
	opener    bool // this side opened it
	handle    int32
	readEnd   deadline
	writeEnd  deadline
	readWake  chan struct{} // capacity 1
	writeWake chan struct{} // capacity 1

	// Set by the host, whenever it likes.
	arrived    atomic.Int64 // what the read brought: bytes, atEnd, failed; nothing so far
	writing    atomic.Int32 // writes under way
	unwritable atomic.Bool  // one failed

	mu       sync.Mutex
	unread   int   // bytes that wait in the browser
	reading  bool  // a read of the browser is under way
	readErr  error // final
	writeErr error // final
	finSent  bool
	dropped  bool

	sent int // bytes written, as far as the quirk asks; the writer's own
}

// Values of stream.arrived besides a number of bytes.
const (
	atEnd   = 0
	failed  = -1
	nothing = -2
)

var _ network.MuxedStream = (*stream)(nil)

func newStream(c *conn, pair js.Value, opener bool) (*stream, error) {
	s := &stream{conn: c, opener: opener, readWake: make(chan struct{}, 1), writeWake: make(chan struct{}, 1)}
	s.arrived.Store(nothing)
	if err := adopt(s, pair); err != nil {
		return nil, err
	}
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
		if n, err := s.tryRead(p); n > 0 || err != nil {
			return n, err
		}
		select {
		case <-s.readWake:
		case <-over:
		}
	}
}

// tryRead serves p from what has come, or asks for more. 0 and no error mean that
// there is nothing yet.
func (s *stream) tryRead(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unread == 0 && s.readErr == nil && !s.heed() && !s.reading {
		s.reading = true
		hostRead(s.handle)
	}
	if s.unread > 0 {
		n := int(hostTake(s.handle, unsafe.Pointer(unsafe.SliceData(p)), uint32(min(len(p), s.unread))))
		if s.unread -= n; s.unread > 0 {
			signal(s.readWake) // another Read may wait too
		}
		return n, nil
	}
	if s.readErr != nil {
		signal(s.readWake)
	}
	return 0, s.readErr
}

// heed takes in what the read under way has brought and reports whether it has.
// mu is held.
func (s *stream) heed() bool {
	switch n := s.arrived.Swap(nothing); n {
	case nothing:
		return false
	case atEnd:
		s.readErr = io.EOF
	case failed:
		s.readErr = s.failure(readSide)
	default:
		s.unread = int(n)
	}
	s.reading = false
	return true
}

// Write returns when the browser has all of p, or on a reset or the write
// deadline. p is not retained.
func (s *stream) Write(p []byte) (int, error) {
	over := s.writeEnd.passed()
	written := 0
	for {
		late := isClosed(over)
		room, err := s.tryWrite()
		switch {
		case err != nil:
			signal(s.writeWake)
			return written, err
		case late:
			return written, os.ErrDeadlineExceeded
		case written == len(p):
			if s.opener && lastWords(p, s.sent) {
				return written, s.CloseWrite()
			}
			return written, nil
		case room:
			n := min(chunkBytes, len(p)-written)
			s.writing.Add(1)
			hostWrite(s.handle, unsafe.Pointer(unsafe.SliceData(p[written:])), uint32(n))
			written += n
			s.sent = min(s.sent+n, openingBytes+1)
			continue
		}
		select {
		case <-s.writeWake:
		case <-over:
		}
	}
}

// tryWrite reports whether the browser is to be given another chunk.
func (s *stream) tryWrite() (room bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr == nil && s.unwritable.Load() {
		s.writeErr = s.failure(writeSide)
	}
	return s.writing.Load() < writesInFlight, s.writeErr
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
	if send && s.conn.ended() == nil {
		hostClose(s.handle)
	}
	return nil
}

// CloseRead tells the peer to send no more; reads fail from here on.
func (s *stream) CloseRead() error {
	s.endRead(fmt.Errorf("%w for reading", ErrClosed), func() { hostCancel(s.handle, uint32(network.StreamNoError)) })
	return nil
}

// endRead has reads fail with err. tell tells the browser, unless the end of reading or of
// the session was heard before.
func (s *stream) endRead(err error, tell func()) {
	s.mu.Lock()
	cancel := s.readErr == nil
	if cancel {
		s.readErr, s.unread = err, 0
	} else if s.readErr == io.EOF {
		s.readErr, s.unread = err, 0
	}
	s.mu.Unlock()
	signal(s.readWake)
	if cancel && s.conn.ended() == nil {
		tell()
	}
}

// Close ends both directions; what was written is still sent.
func (s *stream) Close() error {
	_ = s.CloseWrite()
	s.leave(fmt.Errorf("%w for reading", ErrClosed), network.StreamNoError)
	return nil
}

// leave has reads fail with err and frees the stream. One that the peer opened is read to its
// end by the page's side: Firefox (153) lets the peer open a hundred, and makes room for the
// next only where the end has been read.
func (s *stream) leave(err error, code network.StreamErrorCode) {
	s.endRead(err, func() {
		if s.opener {
			hostCancel(s.handle, uint32(code))
		} else {
			hostDrain(s.handle)
		}
	})
	s.drop()
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
	// Also after CloseWrite, to take back what the browser still holds. The end of the
	// session does both, and nothing may be told of a stream after that: see closeSession.
	if s.conn.ended() == nil {
		hostAbort(s.handle, uint32(code))
	}
	s.leave(end, code)
	return nil
}

// fail ends both directions without telling anybody: the session is gone.
func (s *stream) fail(err error) {
	s.mu.Lock()
	if s.readErr == nil && !(s.heed() && s.readErr != nil) {
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
	s.dropped, s.unread = true, 0
	s.mu.Unlock()
	if was {
		return
	}
	release(s)
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
