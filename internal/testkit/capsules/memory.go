package capsules

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"inos/internal/capsule"
)

// Where a HeapMemory has its control block and rings, and where its capsule puts input and
// output, in bytes.
const (
	ControlBlock = 1024
	Commands     = 4096
	Events       = 8192
	RingSize     = 4096
	InputAt      = 32 << 10
)

// HeapMemory is a capsule.Memory on the Go heap, and the capsule's own side of it: its
// words, its waits, and its ends of the two rings, written from the layout and not from
// package capsule's rings. One lock makes every access atomic.
type HeapMemory struct {
	// Rung has a value when somebody has notified the capsule since the last receive.
	Rung chan struct{}
	// Calls counts the accesses. It may be read and set while nobody else uses the memory.
	Calls int

	mu    sync.Mutex
	bytes []byte
	limit uint64
	waits map[uint32][]chan struct{}
}

// NewHeapMemory is so many bytes, growing to at most limit, with the control block of a
// running capsule.
func NewHeapMemory(bytes, limit uint64) *HeapMemory {
	m := &HeapMemory{bytes: make([]byte, bytes), limit: limit, waits: map[uint32][]chan struct{}{}, Rung: make(chan struct{}, 1)}
	for off, v := range map[uint32]uint32{
		capsule.OffMagic: capsule.ControlMagic, capsule.OffABIVersion: capsule.ABIVersion,
		capsule.OffCommandBase: Commands, capsule.OffCommandSize: RingSize,
		capsule.OffEventBase: Events, capsule.OffEventSize: RingSize,
		capsule.OffState: capsule.StateRunning,
	} {
		m.SetWord(off, v)
	}
	return m
}

func (m *HeapMemory) access(off uint32, n int, f func(p []byte)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Calls++
	if uint64(off)+uint64(n) > uint64(len(m.bytes)) {
		return fmt.Errorf("%w: %d bytes at %d", capsule.ErrOutOfBounds, n, off)
	}
	f(m.bytes[off:][:n])
	return nil
}

// Len implements capsule.Memory.
func (m *HeapMemory) Len() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.bytes))
}

// Load32 implements capsule.Memory.
func (m *HeapMemory) Load32(off uint32) (v uint32, err error) {
	err = m.access(off, 4, func(p []byte) { v = binary.LittleEndian.Uint32(p) })
	return v, err
}

// Store32 implements capsule.Memory.
func (m *HeapMemory) Store32(off, v uint32) error {
	return m.access(off, 4, func(p []byte) { binary.LittleEndian.PutUint32(p, v) })
}

// Store64 implements capsule.Memory.
func (m *HeapMemory) Store64(off uint32, v uint64) error {
	return m.access(off, 8, func(p []byte) { binary.LittleEndian.PutUint64(p, v) })
}

// Read implements capsule.Memory.
func (m *HeapMemory) Read(off uint32, into []byte) error {
	return m.access(off, len(into), func(p []byte) { copy(into, p) })
}

// Write implements capsule.Memory.
func (m *HeapMemory) Write(off uint32, from []byte) error {
	return m.access(off, len(from), func(p []byte) { copy(p, from) })
}

// Notify implements capsule.Memory.
func (m *HeapMemory) Notify(off uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Calls++
	for _, w := range m.waits[off] {
		close(w)
	}
	delete(m.waits, off)
	select {
	case m.Rung <- struct{}{}:
	default:
	}
	return nil
}

// Grow implements capsule.Memory.
func (m *HeapMemory) Grow(bytes uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bytes > m.limit {
		return 0, fmt.Errorf("%w: no room to grow", capsule.ErrOutOfBounds)
	}
	if bytes > uint64(len(m.bytes)) {
		m.bytes = append(m.bytes, make([]byte, bytes-uint64(len(m.bytes)))...)
	}
	return uint64(len(m.bytes)), nil
}

// Wait is the capsule's memory.atomic.wait32 on a word of the control block.
func (m *HeapMemory) Wait(off, expected uint32, timeout time.Duration) {
	off += ControlBlock
	m.mu.Lock()
	if binary.LittleEndian.Uint32(m.bytes[off:]) != expected {
		m.mu.Unlock()
		return
	}
	woken := make(chan struct{})
	m.waits[off] = append(m.waits[off], woken)
	m.mu.Unlock()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-woken:
	case <-timer.C:
	}
}

// Word is a word of the control block.
func (m *HeapMemory) Word(off uint32) uint32 {
	v, err := m.Load32(ControlBlock + off)
	if err != nil {
		panic(err)
	}
	return v
}

// SetWord sets a word of the control block.
func (m *HeapMemory) SetWord(off, v uint32) {
	if err := m.Store32(ControlBlock+off, v); err != nil {
		panic(err)
	}
}

// Push writes an event frame; false when there is no room.
func (m *HeapMemory) Push(kind capsule.FrameKind, payload []byte) bool {
	tail, head := m.Word(capsule.OffEventTail), m.Word(capsule.OffEventHead)
	frame := make([]byte, 8+(len(payload)+7)/8*8)
	if tail-head+uint32(len(frame)) > RingSize {
		return false
	}
	binary.LittleEndian.PutUint32(frame, uint32(len(payload)))
	binary.LittleEndian.PutUint16(frame[4:], uint16(kind))
	copy(frame[8:], payload)
	wrapped(Events, tail, frame, m.Write)
	m.SetWord(capsule.OffEventTail, tail+uint32(len(frame)))
	return true
}

// Pop reads a command frame, if there is one.
func (m *HeapMemory) Pop() (kind capsule.FrameKind, payload []byte, ok bool) {
	tail, head := m.Word(capsule.OffCommandTail), m.Word(capsule.OffCommandHead)
	if head == tail {
		return 0, nil, false
	}
	var header [8]byte
	wrapped(Commands, head, header[:], m.Read)
	payload = make([]byte, binary.LittleEndian.Uint32(header[:]))
	wrapped(Commands, head+8, payload, m.Read)
	m.SetWord(capsule.OffCommandHead, head+8+(uint32(len(payload))+7)&^7)
	return capsule.FrameKind(binary.LittleEndian.Uint16(header[4:])), payload, true
}

// wrapped moves p to or from the ring at base, starting at a position.
func wrapped(base, position uint32, p []byte, move func(uint32, []byte) error) {
	position %= RingSize
	n := min(len(p), int(RingSize-position))
	if err := move(base+position, p[:n]); err != nil {
		panic(err)
	}
	if err := move(base, p[n:]); err != nil {
		panic(err)
	}
}
