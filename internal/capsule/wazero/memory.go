package wazero

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/tetratelabs/wazero/experimental"

	"inos/internal/budget"
	"inos/internal/capsule"
)

// memory is one shared linear memory: a reservation of the most it may ever
// have, of which the first length bytes exist. It never moves, so capsule and
// host use it at once; both only ever touch words atomically or bytes that the
// rings' counters hand from one to the other. It implements wazero's
// LinearMemory and the host's capsule.Memory.
type memory struct {
	// use is held for reading by every access and for writing by release, so
	// that the reservation never goes away under one.
	use     sync.RWMutex
	all     []byte // nil once released
	budget  *budget.Memory
	taken   atomic.Uint64 // of budget, until released
	starved atomic.Bool   // it was to grow, and the node had no more
	length  atomic.Uint64
	grow    func(pages uint32) bool // the module instance's own
	notify  func(off uint32)
}

// reserved is the length of all reservations there are, for tests.
var reserved atomic.Int64

var (
	_ capsule.Memory            = (*memory)(nil)
	_ experimental.LinearMemory = (*memory)(nil)
)

// errReleased answers every access after the instance was let go.
var errReleased = fmt.Errorf("%w: its memory was let go", capsule.ErrKilled)

// Reallocate implements wazero's LinearMemory.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.all)) {
		return nil
	}
	// wazero has one caller grow at a time.
	if have := m.taken.Load(); size > have {
		if m.budget.Take(budget.Capsules, size-have) != nil {
			m.starved.Store(true)
			return nil
		}
		m.taken.Store(size)
	}
	m.length.Store(size)
	return m.all[:size:len(m.all)]
}

// Starved says that the capsule wanted to grow since this was asked last, and the node had no
// more memory.
func (m *memory) Starved() bool { return m.starved.Swap(false) }

// Free implements wazero's LinearMemory. The host may still be reading what the
// capsule wrote last: release frees it.
func (m *memory) Free() {}

// release gives the memory back to the system.
func (m *memory) release() {
	m.use.Lock()
	defer m.use.Unlock()
	if m.all != nil {
		unreserve(m.all)
		m.all = nil
		m.budget.Give(budget.Capsules, m.taken.Swap(0))
	}
}

// at returns n bytes at off, aligned to n where align is set. The caller holds
// use.
func (m *memory) at(off uint32, n int, align bool) ([]byte, error) {
	if m.all == nil {
		return nil, errReleased
	}
	if end := uint64(off) + uint64(n); end > m.length.Load() {
		return nil, fmt.Errorf("%w: %d bytes at %d of %d", capsule.ErrOutOfBounds, n, off, m.length.Load())
	}
	if align && off&uint32(n-1) != 0 {
		return nil, fmt.Errorf("%w: %d bytes at %d are misaligned", capsule.ErrOutOfBounds, n, off)
	}
	return m.all[off : uint64(off)+uint64(n)], nil
}

func (m *memory) Len() uint64 { return m.length.Load() }

// little turns a word in host order into little-endian or back.
func little[T uint32 | uint64](v T) T {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return v
	}
	if unsafe.Sizeof(v) == 4 {
		return T(bits.ReverseBytes32(uint32(v)))
	}
	return T(bits.ReverseBytes64(uint64(v)))
}

func (m *memory) Load32(off uint32) (uint32, error) {
	m.use.RLock()
	defer m.use.RUnlock()
	p, err := m.at(off, 4, true)
	if err != nil {
		return 0, err
	}
	return little(atomic.LoadUint32((*uint32)(unsafe.Pointer(&p[0])))), nil
}

func (m *memory) Store32(off, v uint32) error {
	m.use.RLock()
	defer m.use.RUnlock()
	p, err := m.at(off, 4, true)
	if err == nil {
		atomic.StoreUint32((*uint32)(unsafe.Pointer(&p[0])), little(v))
	}
	return err
}

func (m *memory) Store64(off uint32, v uint64) error {
	m.use.RLock()
	defer m.use.RUnlock()
	p, err := m.at(off, 8, true)
	if err == nil {
		atomic.StoreUint64((*uint64)(unsafe.Pointer(&p[0])), little(v))
	}
	return err
}

func (m *memory) Read(off uint32, into []byte) error {
	m.use.RLock()
	defer m.use.RUnlock()
	p, err := m.at(off, len(into), false)
	if err == nil {
		copy(into, p)
	}
	return err
}

func (m *memory) Write(off uint32, from []byte) error {
	m.use.RLock()
	defer m.use.RUnlock()
	p, err := m.at(off, len(from), false)
	if err == nil {
		copy(p, from)
	}
	return err
}

func (m *memory) Notify(off uint32) error {
	m.use.RLock()
	defer m.use.RUnlock()
	if _, err := m.at(off, 4, true); err != nil {
		return err
	}
	m.notify(off)
	return nil
}

// Grow implements capsule.Memory. Errors match capsule.ErrNoMemory.
func (m *memory) Grow(bytes uint64) (uint64, error) {
	m.use.RLock()
	defer m.use.RUnlock()
	if m.all == nil {
		return 0, errReleased
	}
	// The capsule may grow it at the same time: try again on the new length.
	for {
		have := m.length.Load()
		if bytes <= have {
			return have, nil
		}
		if bytes > uint64(len(m.all)) {
			return have, fmt.Errorf("%w: %d bytes asked, the maximum is %d", capsule.ErrNoMemory, bytes, len(m.all))
		}
		missing := (bytes - have + capsule.PageSize - 1) / capsule.PageSize
		if !m.grow(uint32(missing)) && m.length.Load() == have {
			return have, fmt.Errorf("%w: growing from %d to %d bytes", capsule.ErrNoMemory, have, bytes)
		}
	}
}
