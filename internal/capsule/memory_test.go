package capsule_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"inos/internal/capsule"
)

// heap is a Memory on the Go heap, with waiting: what a capsule's linear memory
// is to both sides. One lock makes every access atomic.
type heap struct {
	mu    sync.Mutex
	bytes []byte
	max   uint64
	waits map[uint32][]chan struct{}
	calls int // accesses by the host
}

func newHeap(bytes, limit uint64) *heap {
	return &heap{bytes: make([]byte, bytes), max: limit, waits: map[uint32][]chan struct{}{}}
}

func (m *heap) at(off uint32, n int) ([]byte, error) {
	m.calls++
	if uint64(off)+uint64(n) > uint64(len(m.bytes)) {
		return nil, fmt.Errorf("%w: %d bytes at %d", capsule.ErrOutOfBounds, n, off)
	}
	return m.bytes[off:][:n], nil
}

func (m *heap) Len() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.bytes))
}

func (m *heap) Load32(off uint32) (uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.at(off, 4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(p), nil
}

func (m *heap) Store32(off, v uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.at(off, 4)
	if err == nil {
		binary.LittleEndian.PutUint32(p, v)
	}
	return err
}

func (m *heap) Store64(off uint32, v uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.at(off, 8)
	if err == nil {
		binary.LittleEndian.PutUint64(p, v)
	}
	return err
}

func (m *heap) Read(off uint32, into []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.at(off, len(into))
	if err == nil {
		copy(into, p)
	}
	return err
}

func (m *heap) Write(off uint32, from []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.at(off, len(from))
	if err == nil {
		copy(p, from)
	}
	return err
}

func (m *heap) Notify(off uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	for _, w := range m.waits[off] {
		close(w)
	}
	delete(m.waits, off)
	return nil
}

func (m *heap) Grow(bytes uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bytes > m.max {
		return 0, fmt.Errorf("%w: no room to grow", capsule.ErrOutOfBounds)
	}
	if bytes > uint64(len(m.bytes)) {
		m.bytes = append(m.bytes, make([]byte, bytes-uint64(len(m.bytes)))...)
	}
	return uint64(len(m.bytes)), nil
}

// wait is memory.atomic.wait32 with a timeout.
func (m *heap) wait(off, expected uint32, timeout time.Duration) {
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

func (m *heap) word(off uint32) uint32 {
	v, err := m.Load32(off)
	if err != nil {
		panic(err)
	}
	return v
}

func (m *heap) set(off, v uint32) {
	if err := m.Store32(off, v); err != nil {
		panic(err)
	}
}

// Where the fakes keep their control block and rings.
const (
	block    = 1024
	commands = 4096
	events   = 8192
	ringSize = 4096
)

// newBlock makes a memory with a running capsule's control block.
func newBlock() *heap {
	m := newHeap(128<<10, 1<<20)
	for off, v := range map[uint32]uint32{
		capsule.OffMagic: capsule.ControlMagic, capsule.OffABIVersion: capsule.ABIVersion,
		capsule.OffCommandBase: commands, capsule.OffCommandSize: ringSize,
		capsule.OffEventBase: events, capsule.OffEventSize: ringSize,
		capsule.OffState: capsule.StateRunning,
	} {
		m.set(block+off, v)
	}
	return m
}

// otherEnd is the capsule's side of the two rings, written from the layout and
// not from ring.go.
type otherEnd struct{ m *heap }

// push writes a frame byte by byte, or reports that there is no room.
func (o otherEnd) push(kind capsule.FrameKind, payload []byte) bool {
	tail, head := o.m.word(block+capsule.OffEventTail), o.m.word(block+capsule.OffEventHead)
	frame := make([]byte, 8+(len(payload)+7)/8*8)
	binary.LittleEndian.PutUint32(frame, uint32(len(payload)))
	binary.LittleEndian.PutUint16(frame[4:], uint16(kind))
	copy(frame[8:], payload)
	if tail-head+uint32(len(frame)) > ringSize {
		return false
	}
	for i, b := range frame {
		_ = o.m.Write(events+(tail+uint32(i))%ringSize, []byte{b})
	}
	o.m.set(block+capsule.OffEventTail, tail+uint32(len(frame)))
	return true
}

// pop reads a frame byte by byte, if there is one.
func (o otherEnd) pop() (capsule.FrameKind, []byte, bool) {
	tail, head := o.m.word(block+capsule.OffCommandTail), o.m.word(block+capsule.OffCommandHead)
	if head == tail {
		return 0, nil, false
	}
	get := func(n uint32) []byte {
		p := make([]byte, n)
		for i := range p {
			_ = o.m.Read(commands+(head+uint32(i))%ringSize, p[i:i+1])
		}
		head += n
		return p
	}
	header := get(8)
	payload := get(binary.LittleEndian.Uint32(header))
	o.m.set(block+capsule.OffCommandHead, (head+7)&^7)
	return capsule.FrameKind(binary.LittleEndian.Uint16(header[4:])), payload, true
}
