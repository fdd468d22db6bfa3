package capsule

import (
	"encoding/binary"
	"fmt"
)

// Producer is the writing end of a ring towards a capsule. One goroutine at a
// time uses it. It allocates nothing in steady state.
type Producer struct {
	ring
	head, tail, doorbell, waiting uint32 // addresses
	seen, next                    uint32 // last head read, own tail
	rings                         uint32 // value of the doorbell word
	waits                         bool   // the waiting word is set
}

// resume takes the counters from the memory, as an attached or restored
// capsule left them.
func (p *Producer) resume() (err error) {
	if p.next, err = p.mem.Load32(p.tail); err != nil {
		return err
	}
	if p.rings, err = p.mem.Load32(p.doorbell); err != nil {
		return err
	}
	if p.next%8 != 0 {
		return p.broken("tail %d is not a multiple of 8", p.next)
	}
	p.seen = p.next - p.size // so that any valid head is an advance
	_, err = p.Used()
	return err
}

// Used reads the head and returns how many bytes the capsule has not read yet.
func (p *Producer) Used() (uint32, error) {
	head, err := p.mem.Load32(p.head)
	if err != nil {
		return 0, err
	}
	used := p.next - head
	if head%8 != 0 || used > p.size || head-p.seen > p.next-p.seen {
		return 0, p.broken("head %d, tail %d, size %d", head, p.next, p.size)
	}
	p.seen = head
	return used, nil
}

// Capacity is the ring's size in bytes.
func (p *Producer) Capacity() uint32 { return p.size }

// Push writes one frame and rings the capsule. payload is not retained. Errors
// match ErrRingFull (the capsule rings once it has read), ErrFrameTooLarge,
// ErrRingBroken or ErrOutOfBounds (final).
func (p *Producer) Push(kind FrameKind, payload []byte) error { return p.push(kind, payload, 0) }

// push is Push that leaves spare bytes of the ring free.
func (p *Producer) push(kind FrameKind, payload []byte, spare uint32) error {
	if uint64(len(payload)) > uint64(MaxPayload(p.size)) {
		return fmt.Errorf("%w: %d bytes, the %s ring takes %d", ErrFrameTooLarge, len(payload), p.name, MaxPayload(p.size))
	}
	total := FrameHeader + padded(uint32(len(payload)))
	if p.size-(p.next-p.seen) < total+spare { // the head last seen may be old: look again
		if err := p.await(total + spare); err != nil {
			return err
		}
	}
	frame := p.room(total)
	binary.LittleEndian.PutUint32(frame, uint32(len(payload)))
	binary.LittleEndian.PutUint32(frame[4:], uint32(kind))
	n := copy(frame[FrameHeader:], payload)
	clear(frame[FrameHeader+n:])
	if err := p.copy(p.next, frame, p.mem.Write); err != nil {
		return err
	}
	p.next += total
	if err := p.mem.Store32(p.tail, p.next); err != nil {
		return err
	}
	return p.knock()
}

// await looks whether there is room for bytes. If not it says so to the capsule,
// looks again, lest the capsule made room in between, and returns ErrRingFull.
func (p *Producer) await(bytes uint32) error {
	for {
		used, err := p.Used()
		if err != nil || p.size-used >= bytes {
			return err
		}
		if p.waits {
			return ErrRingFull
		}
		if err := p.mem.Store32(p.waiting, 1); err != nil {
			return err
		}
		p.waits = true
	}
}

// content says that all there was to push is pushed.
func (p *Producer) content() error {
	if !p.waits {
		return nil
	}
	p.waits = false
	return p.mem.Store32(p.waiting, 0)
}

// knock rings the capsule's doorbell.
func (p *Producer) knock() error {
	p.rings++
	if err := p.mem.Store32(p.doorbell, p.rings); err != nil {
		return err
	}
	return p.mem.Notify(p.doorbell)
}
