package supervisor

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

const (
	// listenersAtMost is the most listeners of one capsule.
	listenersAtMost = 8
	// listenAhead is how many bytes wait for a listener before its capsule is held back. Up to the
	// contents of one ring may be added.
	listenAhead = 256 << 10
)

// outlet distributes the bytes that a capsule emits to every listener. The slowest reader sets the
// pace.
type outlet struct {
	full atomic.Bool // no more is taken from the capsule

	mu        sync.Mutex
	listeners []*Listener
	dropped   uint64 // bytes emitted without a listener
}

// put gives p to the listeners. It does not block: the pump calls it.
func (o *outlet) put(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.listeners) == 0 {
		o.dropped += uint64(len(p))
	}
	for _, l := range o.listeners {
		l.waiting.Write(p)
		if l.waiting.Len() >= listenAhead {
			o.full.Store(true)
		}
		l.ring()
	}
}

func (o *outlet) unheard() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped
}

// relieve opens the outlet again once every listener has read down to half of listenAhead. It
// reports whether it did. The caller holds mu.
func (o *outlet) relieve() bool {
	if !o.full.Load() {
		return false
	}
	for _, l := range o.listeners {
		if l.waiting.Len() > listenAhead/2 {
			return false
		}
	}
	o.full.Store(false)
	return true
}

// end ends every listener once it has read what waits: with err, or with io.EOF for a capsule that
// returned.
func (o *outlet) end(err error) {
	if err == nil {
		err = io.EOF
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.listeners {
		l.err = err
		close(l.ended)
		l.ring()
	}
	o.listeners = nil
	o.full.Store(false)
}

// Listener reads what a capsule emits. The caller must Close it.
type Listener struct {
	outlet *outlet
	look   func()        // makes the pump look at the capsule again
	news   chan struct{} // capacity 1
	ended  chan struct{} // closed when err is set

	// Guarded by outlet.mu.
	waiting bytes.Buffer
	err     error
}

func (l *Listener) ring() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// Listen opens the stream of what the capsule called id emits from now on. A listener that does not
// read holds the capsule back: emit waits once the listener has listenAhead unread and the event
// ring is full. Everything else that the capsule sends waits too: its answers to commands, and its
// heartbeats, which then do not count as missed. Errors match ErrNoCapsule, ErrStopped between two
// instances of the capsule, or ErrListeners.
func (s *Supervisor) Listen(id string) (*Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.live[id]
	if ch == nil || ch.forJob { // what a job emits has no listeners
		return nil, fmt.Errorf("%w: %.80q", ErrNoCapsule, id)
	}
	if ch.cap == nil || ch.stopping || ch.ending() {
		return nil, ErrStopped
	}
	o := &ch.outlet
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.listeners) >= listenersAtMost {
		return nil, fmt.Errorf("%w: %d", ErrListeners, len(o.listeners))
	}
	l := &Listener{outlet: o, look: ch.cap.Look, news: make(chan struct{}, 1), ended: make(chan struct{})}
	o.listeners = append(o.listeners, l)
	return l, nil
}

// Read blocks until the capsule has emitted something. Its error is io.EOF once the capsule has
// returned, the reason of its death, or io.ErrClosedPipe after Close. One goroutine at a time may
// read.
func (l *Listener) Read(p []byte) (int, error) {
	for {
		l.outlet.mu.Lock()
		n, _ := l.waiting.Read(p)
		err, relieved := l.err, l.outlet.relieve()
		l.outlet.mu.Unlock()
		if relieved {
			l.look()
		}
		switch {
		case n > 0 || len(p) == 0:
			return n, nil
		case err != nil:
			return 0, err
		}
		<-l.news
	}
}

// Ended is closed when nothing more comes for l: the capsule has ended, or l was closed. Read then
// returns the rest, then the end, without blocking.
func (l *Listener) Ended() <-chan struct{} { return l.ended }

// Close ends the listening. It is idempotent. A Read under way returns.
func (l *Listener) Close() error {
	o := l.outlet
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, other := range o.listeners {
		if other == l {
			o.listeners = append(o.listeners[:i:i], o.listeners[i+1:]...)
			break
		}
	}
	l.waiting = bytes.Buffer{}
	if l.err == nil {
		close(l.ended)
	}
	l.err = io.ErrClosedPipe
	l.ring()
	if o.relieve() {
		l.look()
	}
	return nil
}
