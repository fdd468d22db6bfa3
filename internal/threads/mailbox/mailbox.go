// Package mailbox is the queue in front of a loop that must never hold up its senders. For each key
// the latest value waits, with the number of values merged into it. The number of keys is bounded,
// and every value is accounted for.
package mailbox

import (
	"sync"

	"inos/internal/fault"
)

// ErrFull says that the greatest number of keys waits. It is retryable after the next Take. Keys
// that wait already still take values.
var ErrFull = fault.Internal("mailbox: full")

// DefaultLimit is the limit of keys when New gets 0.
const DefaultLimit = 4096

// Mailbox is a queue that never blocks a sender. Safe for concurrent senders and one reader.
type Mailbox[K comparable, V any] struct {
	merge func(old, new V) V
	limit int
	wake  chan struct{} // capacity 1

	mu      sync.Mutex
	at      map[K]int // index in waiting
	waiting []Letter[K, V]
	stats   Stats
}

// Letter is the value that waited under one key.
type Letter[K comparable, V any] struct {
	Key   K
	Value V      // merged from all values put
	Count uint64 // the number of values put
}

// Stats counts values. Put equals Merged + Taken + Refused + the values waiting. A value whose key
// was empty counts once as Taken; every further one is Merged into it.
type Stats struct {
	Put, Merged, Taken, Refused uint64
	Waiting                     int
}

// New returns a mailbox of at most limit keys (0 means DefaultLimit). merge makes one value of two
// for the same key; nil keeps the newer.
func New[K comparable, V any](limit int, merge func(old, new V) V) *Mailbox[K, V] {
	if limit <= 0 {
		limit = DefaultLimit
	}
	if merge == nil {
		merge = func(_, new V) V { return new }
	}
	return &Mailbox[K, V]{merge: merge, limit: limit, wake: make(chan struct{}, 1), at: make(map[K]int)}
}

// Put stores v under k. Its only error is ErrFull.
func (m *Mailbox[K, V]) Put(k K, v V) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Put++
	if i, ok := m.at[k]; ok {
		l := &m.waiting[i]
		l.Value = m.merge(l.Value, v)
		l.Count++
		m.stats.Merged++
		return nil
	}
	if len(m.waiting) >= m.limit {
		m.stats.Refused++
		return ErrFull
	}
	m.at[k] = len(m.waiting)
	m.waiting = append(m.waiting, Letter[K, V]{Key: k, Value: v, Count: 1})
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return nil
}

// Wake receives a value after something was put into the empty mailbox.
func (m *Mailbox[K, V]) Wake() <-chan struct{} { return m.wake }

// Take appends everything that waits to dst, in the order in which the keys arrived, and empties
// the mailbox.
func (m *Mailbox[K, V]) Take(dst []Letter[K, V]) []Letter[K, V] {
	m.mu.Lock()
	defer m.mu.Unlock()
	dst = append(dst, m.waiting...)
	m.stats.Taken += uint64(len(m.waiting))
	clear(m.waiting)
	m.waiting = m.waiting[:0]
	clear(m.at)
	return dst
}

// Stats returns the counters.
func (m *Mailbox[K, V]) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Waiting = len(m.waiting)
	return s
}
