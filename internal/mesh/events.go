package mesh

import "sync"

// EventQueueLen is how many events wait for a slow reader of Events.
const EventQueueLen = 1024

// EventQueue is the bounded queue behind Mesh.Events. When it is full, the
// oldest ProfileHeard makes room (a newer one follows sooner or later); when no
// profile waits, the oldest event does. Push never blocks. Make one with
// NewEventQueue; one goroutine runs until Close.
type EventQueue struct {
	mu      sync.Mutex
	waiting []Event
	limit   int
	shed    uint64
	closed  bool

	wake chan struct{} // capacity 1: something was pushed
	stop chan struct{}
	done chan struct{}
	out  chan Event
}

// NewEventQueue starts a queue of at most limit events; EventQueueLen when
// limit is not positive.
func NewEventQueue(limit int) *EventQueue {
	if limit <= 0 {
		limit = EventQueueLen
	}
	q := &EventQueue{
		limit: limit,
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
		out:   make(chan Event),
	}
	go q.pump()
	return q
}

// C delivers the events in order and is closed by Close.
func (q *EventQueue) C() <-chan Event { return q.out }

// Push adds e, shedding as the type says. After Close it does nothing.
func (q *EventQueue) Push(e Event) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return
	}
	if len(q.waiting) >= q.limit {
		q.shedOne()
	}
	q.waiting = append(q.waiting, e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Shed counts the events that were dropped for want of a reader.
func (q *EventQueue) Shed() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.shed
}

// Close drops what waits, closes C and returns when the queue's goroutine has
// ended. It may be called twice.
func (q *EventQueue) Close() {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		q.waiting = nil
		close(q.stop)
	}
	q.mu.Unlock()
	<-q.done
}

func (q *EventQueue) shedOne() {
	at := 0
	for i, e := range q.waiting {
		if _, ok := e.(ProfileHeard); ok {
			at = i
			break
		}
	}
	q.waiting = append(q.waiting[:at], q.waiting[at+1:]...)
	q.shed++
}

func (q *EventQueue) next() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil, false
	}
	e := q.waiting[0]
	q.waiting = q.waiting[1:]
	return e, true
}

func (q *EventQueue) pump() {
	defer close(q.done)
	defer close(q.out)
	for {
		e, ok := q.next()
		if !ok {
			select {
			case <-q.wake:
				continue
			case <-q.stop:
				return
			}
		}
		select {
		case q.out <- e:
		case <-q.stop:
			return
		}
	}
}
