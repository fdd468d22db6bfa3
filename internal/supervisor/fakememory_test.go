package supervisor

import (
	"encoding/binary"
	"fmt"
	"sync"

	"inos/internal/capsule"
)

// heap is a capsule's memory on the Go heap.
type heap struct {
	mu    sync.Mutex
	bytes []byte
	limit uint64
	rung  chan struct{} // somebody notified the capsule
}

// Where the fake keeps its control block and rings.
const (
	block    = 1024
	commands = 4096
	events   = 8192
	ringSize = 4096
	inputAt  = 32 << 10
)

func newHeap(limit uint64) *heap {
	h := &heap{bytes: make([]byte, capsule.PageSize), limit: limit, rung: make(chan struct{}, 1)}
	for off, v := range map[uint32]uint32{
		capsule.OffMagic: capsule.ControlMagic, capsule.OffABIVersion: capsule.ABIVersion,
		capsule.OffCommandBase: commands, capsule.OffCommandSize: ringSize,
		capsule.OffEventBase: events, capsule.OffEventSize: ringSize,
		capsule.OffState: capsule.StateRunning,
	} {
		h.set(off, v)
	}
	return h
}

func (h *heap) access(off uint32, n int, f func(p []byte)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if uint64(off)+uint64(n) > uint64(len(h.bytes)) {
		return fmt.Errorf("%w: %d bytes at %d", capsule.ErrOutOfBounds, n, off)
	}
	f(h.bytes[off:][:n])
	return nil
}

func (h *heap) Len() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return uint64(len(h.bytes))
}

func (h *heap) Load32(off uint32) (v uint32, err error) {
	err = h.access(off, 4, func(p []byte) { v = binary.LittleEndian.Uint32(p) })
	return v, err
}

func (h *heap) Store32(off, v uint32) error {
	return h.access(off, 4, func(p []byte) { binary.LittleEndian.PutUint32(p, v) })
}

func (h *heap) Store64(off uint32, v uint64) error {
	return h.access(off, 8, func(p []byte) { binary.LittleEndian.PutUint64(p, v) })
}

func (h *heap) Read(off uint32, to []byte) error {
	return h.access(off, len(to), func(p []byte) { copy(to, p) })
}

func (h *heap) Write(off uint32, from []byte) error {
	return h.access(off, len(from), func(p []byte) { copy(p, from) })
}

func (h *heap) Notify(uint32) error {
	select {
	case h.rung <- struct{}{}:
	default:
	}
	return nil
}

func (h *heap) Grow(bytes uint64) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if bytes > h.limit {
		return 0, fmt.Errorf("%w: no room", capsule.ErrOutOfBounds)
	}
	if more := int(bytes) - len(h.bytes); more > 0 {
		h.bytes = append(h.bytes, make([]byte, more)...)
	}
	return uint64(len(h.bytes)), nil
}

// word and set are the capsule's own accesses to its control block.
func (h *heap) word(off uint32) uint32 {
	v, err := h.Load32(block + off)
	if err != nil {
		panic(err)
	}
	return v
}

func (h *heap) set(off, v uint32) {
	if err := h.Store32(block+off, v); err != nil {
		panic(err)
	}
}

// wrapped moves p to or from the ring at base, starting at the position at.
func wrapped(base, at uint32, p []byte, move func(uint32, []byte) error) {
	at %= ringSize
	n := min(len(p), int(ringSize-at))
	if err := move(base+at, p[:n]); err != nil {
		panic(err)
	}
	if err := move(base, p[n:]); err != nil {
		panic(err)
	}
}

// push writes an event frame; false when there is no room.
func (h *heap) push(kind capsule.FrameKind, payload []byte) bool {
	tail, head := h.word(capsule.OffEventTail), h.word(capsule.OffEventHead)
	frame := make([]byte, 8+(len(payload)+7)/8*8)
	if tail-head+uint32(len(frame)) > ringSize {
		return false
	}
	binary.LittleEndian.PutUint32(frame, uint32(len(payload)))
	binary.LittleEndian.PutUint16(frame[4:], uint16(kind))
	copy(frame[8:], payload)
	wrapped(events, tail, frame, h.Write)
	h.set(capsule.OffEventTail, tail+uint32(len(frame)))
	return true
}

// pop reads a command frame, if there is one.
func (h *heap) pop() (kind capsule.FrameKind, payload []byte, ok bool) {
	tail, head := h.word(capsule.OffCommandTail), h.word(capsule.OffCommandHead)
	if head == tail {
		return 0, nil, false
	}
	var header [8]byte
	wrapped(commands, head, header[:], h.Read)
	payload = make([]byte, binary.LittleEndian.Uint32(header[:]))
	wrapped(commands, head+8, payload, h.Read)
	h.set(capsule.OffCommandHead, head+8+(uint32(len(payload))+7)&^7)
	return capsule.FrameKind(binary.LittleEndian.Uint16(header[4:])), payload, true
}
