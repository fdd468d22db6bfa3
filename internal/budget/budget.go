// Package budget leases the memory that a node may have. A user of much memory takes bytes
// first, on behalf of a Part, and gives them back when it has freed them. The package allocates
// nothing itself.
package budget

import (
	"fmt"
	"sync/atomic"

	"inos/internal/fault"
)

// Part is what memory is used for.
type Part uint8

// The parts of a node that take memory.
const (
	Capsules    Part = iota // memories of instances
	Compilation             // allowance of a compiling process
	Library                 // stored capsules, and those being fetched
	Snapshots               // stored snapshots
	Inputs                  // of jobs and calls, while they arrive and until they have run
	Outputs                 // of jobs and calls, until they are sent
	parts
)

var names = [parts]string{"capsules", "compilation", "library", "snapshots", "inputs", "outputs"}

// String returns the part's name in metrics and consoles.
func (p Part) String() string { return names[p] }

// Parts returns all parts.
func Parts() []Part {
	return []Part{Capsules, Compilation, Library, Snapshots, Inputs, Outputs}
}

// Memory counts bytes that are taken before they are used. It is safe for concurrent use. A nil
// Memory has no bound and counts nothing.
type Memory struct {
	most  uint64 // 0: without bound
	taken atomic.Uint64
	of    [parts]atomic.Uint64
}

// New returns a Memory of most bytes; 0 means no bound.
func New(most uint64) *Memory { return &Memory{most: most} }

// Take takes n bytes for p; the caller gives them back. It does not block. The error is a
// *FullError when there are fewer.
func (m *Memory) Take(p Part, n uint64) error {
	if m == nil {
		return nil
	}
	for {
		now := m.taken.Load()
		if m.most != 0 && (now > m.most || n > m.most-now) {
			return &FullError{For: p, Wanted: n, Taken: now, Most: m.most}
		}
		if m.taken.CompareAndSwap(now, now+n) {
			m.of[p].Add(n)
			return nil
		}
	}
}

// Give returns n bytes of p.
func (m *Memory) Give(p Part, n uint64) {
	if m != nil {
		m.of[p].Add(-n)
		m.taken.Add(-n)
	}
}

// Most returns the bytes there are in all; 0 means no bound.
func (m *Memory) Most() uint64 {
	if m == nil {
		return 0
	}
	return m.most
}

// Of returns the bytes that p has taken.
func (m *Memory) Of(p Part) uint64 {
	if m == nil {
		return 0
	}
	return m.of[p].Load()
}

// Use is how much of a budget is taken.
type Use struct {
	Most uint64            // bytes; 0 means no bound
	Of   map[string]uint64 // bytes, by the name of the part
}

// Use returns what each part has taken now.
func (m *Memory) Use() Use {
	u := Use{Most: m.Most(), Of: make(map[string]uint64, parts)}
	for _, p := range Parts() {
		u.Of[p.String()] = m.Of(p)
	}
	return u
}

// ErrFull: the node has no memory left for capsules, inputs or outputs now. Advice: try again, or elsewhere.
var ErrFull = fault.Retryable("node_memory", "budget: no memory left on the node")

// FullError says that a node has no memory left for something. It is retryable, since others
// give memory back.
type FullError struct {
	For         Part
	Wanted      uint64 // bytes, as are the others
	Taken, Most uint64
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%v for %s: %d MiB wanted, %d of %d MiB are taken", ErrFull, e.For, (e.Wanted+1<<20-1)>>20, e.Taken>>20, e.Most>>20)
}

// Unwrap returns ErrFull.
func (*FullError) Unwrap() error { return ErrFull }

// Lease is memory that one owner has taken for one purpose. The zero Lease has no memory and no
// budget. It is for one goroutine at a time.
type Lease struct {
	memory *Memory
	part   Part
	n      uint64
}

// Lease returns an empty Lease for p.
func (m *Memory) Lease(p Part) *Lease { return &Lease{memory: m, part: p} }

// Hold sets the leased memory to n bytes. Errors are Take's and leave it unchanged.
func (l *Lease) Hold(n uint64) error {
	if n > l.n {
		if err := l.memory.Take(l.part, n-l.n); err != nil {
			return err
		}
	} else {
		l.memory.Give(l.part, l.n-n)
	}
	l.n = n
	return nil
}

// End gives all of it back. It may be called again.
func (l *Lease) End() { _ = l.Hold(0) }
