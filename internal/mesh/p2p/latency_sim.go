package p2p

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// delayedBytes bounds the answers of one stream that wait for their time.
const delayedBytes = 16 << 20

// latencyHost delays what its handlers answer, as a longer wire would: each write
// leaves its stream by later than it was made, in order, without holding back
// the next. Streams this node opens are not delayed.
type latencyHost struct {
	host.Host
	by    time.Duration
	life  context.Context
	enter func() bool // counts a goroutine that leave ends; false after Close
	leave func()
}

func (h *latencyHost) SetStreamHandler(id protocol.ID, f network.StreamHandler) {
	h.Host.SetStreamHandler(id, func(s network.Stream) { f(newLatencyStream(s, h)) })
}

func (h *latencyHost) SetStreamHandlerMatch(id protocol.ID, match func(protocol.ID) bool, f network.StreamHandler) {
	h.Host.SetStreamHandlerMatch(id, match, func(s network.Stream) { f(newLatencyStream(s, h)) })
}

// delayed is one thing to do at its time.
type delayed struct {
	due  time.Time
	data []byte
	then func() error // instead of data: a close
}

type latencyStream struct {
	network.Stream
	host *latencyHost

	mu      sync.Mutex
	waiting []delayed
	bytes   int
	err     error // of a write that came due, or of a close
	running bool
	room    chan struct{} // capacity 1: bytes went down
	more    chan struct{} // capacity 1: waiting grew, or err was set
}

func newLatencyStream(s network.Stream, h *latencyHost) *latencyStream {
	return &latencyStream{Stream: s, host: h, room: make(chan struct{}, 1), more: make(chan struct{}, 1)}
}

func ring(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Read learns that the peer has given up: nobody waits for the answers then, and
// a close need not wait for its time behind them. That this side stopped reading
// says nothing of the kind.
func (s *latencyStream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if gone, ok := errors.AsType[*network.StreamError](err); ok && gone.Remote {
		s.fail(err)
	}
	return n, err
}

// Write returns once p is queued; it waits only for a full queue.
func (s *latencyStream) Write(p []byte) (int, error) {
	for {
		s.mu.Lock()
		if s.err != nil {
			s.mu.Unlock()
			return 0, s.err
		}
		if s.bytes == 0 || s.bytes+len(p) <= delayedBytes {
			s.push(delayed{data: append([]byte(nil), p...)})
			s.mu.Unlock()
			return len(p), nil
		}
		s.mu.Unlock()
		select {
		case <-s.room:
		case <-s.host.life.Done():
			return 0, network.ErrReset
		}
	}
}

// push queues under the lock and starts the stream's one goroutine.
func (s *latencyStream) push(l delayed) {
	l.due = time.Now().Add(s.host.by)
	s.bytes += len(l.data)
	s.waiting = append(s.waiting, l)
	if !s.running {
		if !s.host.enter() {
			s.err = network.ErrReset
			return
		}
		s.running = true
		go s.run()
	}
	ring(s.more)
}

func (s *latencyStream) run() {
	defer s.host.leave()
	for {
		s.mu.Lock()
		if len(s.waiting) == 0 || s.err != nil {
			s.running = false
			s.mu.Unlock()
			return
		}
		next := s.waiting[0]
		s.mu.Unlock()
		if !s.sleep(time.Until(next.due)) {
			s.fail(network.ErrReset)
			return
		}
		var err error
		if next.then != nil {
			err = next.then()
		} else {
			_, err = s.Stream.Write(next.data)
		}
		s.mu.Lock()
		if len(s.waiting) > 0 {
			s.waiting = s.waiting[1:]
		}
		s.bytes -= len(next.data)
		s.mu.Unlock()
		ring(s.room)
		if err != nil {
			s.fail(err)
			return
		}
	}
}

func (s *latencyStream) sleep(d time.Duration) bool {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-s.more:
			s.mu.Lock()
			failed := s.err != nil
			s.mu.Unlock()
			if failed {
				return false
			}
		case <-s.host.life.Done():
			return false
		}
	}
}

// fail drops the writes that wait; the closes behind them still happen, or the
// stream would count against its peer for good.
func (s *latencyStream) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	dropped := s.waiting
	s.waiting, s.bytes, s.running = nil, 0, false
	s.mu.Unlock()
	for _, l := range dropped {
		if l.then != nil {
			_ = l.then()
		}
	}
	ring(s.room)
	ring(s.more)
}

// end queues a close behind the writes; one that failed already is closed now.
func (s *latencyStream) end(then func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return then()
	}
	s.push(delayed{then: then})
	return nil
}

// CloseWrite takes effect after the writes before it.
func (s *latencyStream) CloseWrite() error { return s.end(s.Stream.CloseWrite) }

// Close ends reading now and writing after the writes before it.
func (s *latencyStream) Close() error {
	_ = s.Stream.CloseRead()
	return s.end(s.Stream.Close)
}

// Reset drops the answers that are still waiting.
func (s *latencyStream) Reset() error { return s.ResetWithError(network.StreamNoError) }

// ResetWithError is Reset with a code.
func (s *latencyStream) ResetWithError(code network.StreamErrorCode) error {
	s.fail(network.ErrReset)
	return s.Stream.ResetWithError(code)
}
