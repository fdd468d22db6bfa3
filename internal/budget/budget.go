// Package budget leases the memory that a node may have. Whoever is about to use a lot
// of it takes so many bytes first, in the name of the part that they are for, and gives them back
// when it has let go of them. It allocates nothing itself.
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
	Compilation             // what a compiling process may take
	Library                 // capsules that are kept, and those on their way here
	Snapshots               // that are kept
	Inputs                  // of jobs and calls, on their way here and until they have run
	Outputs                 // of jobs and calls, until they are sent
	parts
)

var names = [parts]string{"capsules", "compilation", "library", "snapshots", "inputs", "outputs"}

// String is the part's name, as metrics and consoles have it.
func (p Part) String() string { return names[p] }

// Parts lists all there are.
func Parts() []Part {
	return []Part{Capsules, Compilation, Library, Snapshots, Inputs, Outputs}
}

// Memory is bytes that are taken before they are used. It is safe for concurrent use; nil
// has no bound and counts nothing.
type Memory struct {
	most  uint64 // 0: without bound
	taken atomic.Uint64
	of    [parts]atomic.Uint64
}

// New returns a budget of most bytes; 0 means without bound.
func New(most uint64) *Memory { return &Memory{most: most} }

// Take takes n bytes for p; the caller gives them back. It does not wait: the error is a
// *FullError when there are not as many.
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

// Give gives n bytes of p back.
func (m *Memory) Give(p Part, n uint64) {
	if m != nil {
		m.of[p].Add(-n)
		m.taken.Add(-n)
	}
}

// Most is how many bytes there are in all; 0 is without bound.
func (m *Memory) Most() uint64 {
	if m == nil {
		return 0
	}
	return m.most
}

// Of is how many bytes p has taken.
func (m *Memory) Of(p Part) uint64 {
	if m == nil {
		return 0
	}
	return m.of[p].Load()
}

// Use is what of a budget is taken.
type Use struct {
	Most uint64            // bytes; 0 is without bound
	Of   map[string]uint64 // bytes, by the name of the part
}

// Use says what each part has taken now.
func (m *Memory) Use() Use {
	u := Use{Most: m.Most(), Of: make(map[string]uint64, parts)}
	for _, p := range Parts() {
		u.Of[p.String()] = m.Of(p)
	}
	return u
}

// ErrFull: the node has no memory left for capsules, inputs or outputs now. Advice: try again, or elsewhere.
var ErrFull = fault.Retryable("node_memory", "budget: no memory left on the node")

// FullError says that a node has no memory left for something. It is retryable: what others have
// taken comes back.
type FullError struct {
	For         Part
	Wanted      uint64 // bytes, as are the others
	Taken, Most uint64
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%v for %s: %d MiB wanted, %d of %d MiB are taken", ErrFull, e.For, (e.Wanted+1<<20-1)>>20, e.Taken>>20, e.Most>>20)
}

// Unwrap is ErrFull.
func (*FullError) Unwrap() error { return ErrFull }

// Lease is memory that one owner has taken for one thing. The zero value has none, and no
// budget either. It is for one goroutine at a time.
type Lease struct {
	memory *Memory
	part   Part
	n      uint64
}

// Lease is an empty one, for p.
func (m *Memory) Lease(p Part) *Lease { return &Lease{memory: m, part: p} }

// Hold has n bytes leased, whatever it had before. Errors are Take's; then it has what it had.
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
