package matchmaker

import (
	"cmp"
	"container/heap"
	"context"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
)

// ticket is a job from Submit to its end.
type ticket struct {
	job     governance.Admitted
	id      string
	ctx     context.Context // ends with the caller or at the deadline
	arrived time.Time
	// rank orders the queue: the time of arrival, less Step for every level of
	// priority. It never changes, and that is what bounds the waiting of low ones.
	rank     time.Time
	deadline time.Time
	serial   uint64

	at       int // index in the heap, -1 outside
	parked   bool
	started  time.Time // when a hand first took it
	exclude  []identity.PeerID
	attempts []Attempt
	busy     int       // answers that a node is busy
	given    Placement // by a Batcher, for the next attempt
	hasGiven bool

	done   chan struct{} // closed after result and err are set
	result Result
	err    error
}

// tickets is a heap by rank, then deadline, then arrival.
type tickets []*ticket

func (q tickets) Len() int { return len(q) }

func (q tickets) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(a.rank.Compare(b.rank), a.deadline.Compare(b.deadline), cmp.Compare(a.serial, b.serial)) < 0
}

func (q tickets) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *tickets) Push(v any) {
	t := v.(*ticket)
	t.at = len(*q)
	*q = append(*q, t)
}

func (q *tickets) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	t.at = -1
	return t
}

// push queues t and wakes the loop. The caller holds mu.
func (m *Matchmaker) push(t *ticket) {
	heap.Push(&m.queue, t)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// pop takes the first of the queue, nil when it is empty.
func (m *Matchmaker) pop() *ticket {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) == 0 {
		return nil
	}
	return heap.Pop(&m.queue).(*ticket)
}

// park sets t aside until the next Kick, or queues it again at once if there has
// been one since kicks was read.
func (m *Matchmaker) park(t *ticket, kicks uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped {
		m.finish(t, Result{}, ErrStopped)
		return
	}
	if m.kicks != kicks {
		m.push(t)
		return
	}
	t.parked = true
	m.parked[t] = struct{}{}
	select { // the loop arms its timer
	case m.wake <- struct{}{}:
	default:
	}
}

// Kick tries the waiting jobs again: a node has a slot, or a node is new. It
// never blocks.
func (m *Matchmaker) Kick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kicks++
	for t := range m.parked {
		t.parked = false
		m.push(t)
	}
	clear(m.parked)
}

// withdraw takes t out if no hand has it.
func (m *Matchmaker) withdraw(t *ticket, err error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case t.at >= 0:
		heap.Remove(&m.queue, t.at)
	case t.parked:
		t.parked = false
		delete(m.parked, t)
	default:
		return false
	}
	m.finish(t, Result{Attempts: t.attempts, Queued: time.Since(t.arrived)}, err)
	return true
}
