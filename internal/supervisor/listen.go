package supervisor

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

const (
	// listenersAtMost is how many may listen to one capsule.
	listenersAtMost = 8
	// listenAhead is how much waits for a listener before its capsule is held back. Up
	// to one ring more may come.
	listenAhead = 256 << 10
)

// outlet is where the bytes go that a capsule emits: to every listener. The one that
// reads slowest sets the pace.
type outlet struct {
	full atomic.Bool // nothing more is taken from the capsule

	mu        sync.Mutex
	listeners []*Listener
	dropped   uint64 // bytes that nobody listened to
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

// relieve opens the outlet again once every listener has read half of what may wait.
// It reports whether it did. mu is held.
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

// end ends every listener once it has read what there was: with err, or with io.EOF
// for a capsule that returned.
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

// Listener reads what a capsule emits. Close it.
type Listener struct {
	outlet *outlet
	look   func()        // the capsule is to be looked at again
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

// Listen opens the stream of what the capsule called id emits from now on. It holds
// the capsule back when it is not read: emit waits once the listener has so much
// unread and the event ring is full, and so does everything else the capsule says,
// its heartbeats, which are not missed then, and its answers to commands. Errors
// match ErrNoCapsule, ErrStopped while it is between two instances, or ErrListeners.
func (s *Supervisor) Listen(id string) (*Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.live[id]
	if ch == nil || ch.forJob { // what a job emits is nobody's to hear
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

// Read blocks until the capsule has emitted something. Its error is io.EOF once the
// capsule has returned, what it died of, or io.ErrClosedPipe after Close. One
// goroutine at a time reads.
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

// Ended is closed once the capsule emits nothing more for l: it has ended, or l was
// closed. Read then returns what is left, and the end, without blocking.
func (l *Listener) Ended() <-chan struct{} { return l.ended }

// Close ends the listening. Idempotent; a Read at work returns.
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
