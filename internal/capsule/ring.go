package capsule

import (
	"encoding/binary"
	"fmt"
)

// ring is one ring's fixed geometry.
type ring struct {
	mem  Memory
	name string
	span span
	size uint32
	buf  []byte // host memory, reused: the frame being written, the batch being read
}

func newRing(mem Memory, name string, s span) ring {
	return ring{mem: mem, name: name, span: s, size: uint32(s.size)}
}

// MaxPayload is the largest payload a ring of size bytes takes.
func MaxPayload(size uint32) uint32 { return size/2 - FrameHeader }

func padded(n uint32) uint32 { return (n + 7) &^ 7 }

func (r *ring) broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s ring: %s", ErrRingBroken, r.name, fmt.Sprintf(format, args...))
}

// room makes r.buf at least n bytes long.
func (r *ring) room(n uint32) []byte {
	if uint32(cap(r.buf)) < n {
		r.buf = make([]byte, max(n, min(2*uint32(cap(r.buf)), r.size)))
	}
	return r.buf[:n]
}

// copy moves p in or out at the free-running position at, which may wrap.
func (r *ring) copy(at uint32, p []byte, move func(uint32, []byte) error) error {
	start := at & (r.size - 1)
	first := min(uint32(len(p)), r.size-start)
	if err := move(uint32(r.span.off)+start, p[:first]); err != nil {
		return err
	}
	if first == uint32(len(p)) {
		return nil
	}
	return move(uint32(r.span.off), p[first:])
}

// Producer is the writing end of a ring towards a capsule. One goroutine at a
// time uses it. It allocates nothing in steady state.
type Producer struct {
	ring
	head, tail, doorbell uint32 // addresses
	seen, next           uint32 // last head read, own tail
	rings                uint32 // value of the doorbell word
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
// match ErrRingFull (retry after the capsule has read), ErrFrameTooLarge,
// ErrRingBroken or ErrOutOfBounds (final).
func (p *Producer) Push(kind FrameKind, payload []byte) error { return p.push(kind, payload, 0) }

// push is Push that leaves spare bytes of the ring free.
func (p *Producer) push(kind FrameKind, payload []byte, spare uint32) error {
	if uint64(len(payload)) > uint64(MaxPayload(p.size)) {
		return fmt.Errorf("%w: %d bytes, the %s ring takes %d", ErrFrameTooLarge, len(payload), p.name, MaxPayload(p.size))
	}
	total := FrameHeader + padded(uint32(len(payload)))
	if p.size-(p.next-p.seen) < total+spare { // the head last seen may be old: look again
		used, err := p.Used()
		if err != nil {
			return err
		}
		if p.size-used < total+spare {
			return ErrRingFull
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

// knock rings the capsule's doorbell.
func (p *Producer) knock() error {
	p.rings++
	if err := p.mem.Store32(p.doorbell, p.rings); err != nil {
		return err
	}
	return p.mem.Notify(p.doorbell)
}

// Consumer is the reading end of a ring from a capsule. One goroutine at a time
// uses it. It allocates nothing in steady state.
type Consumer struct {
	ring
	head, tail, space, waiting uint32 // addresses
	next                       uint32 // own head
	spaces                     uint32 // value of the space word
}

func (c *Consumer) resume() (err error) {
	if c.next, err = c.mem.Load32(c.head); err != nil {
		return err
	}
	if c.spaces, err = c.mem.Load32(c.space); err != nil {
		return err
	}
	if c.next%8 != 0 {
		return c.broken("head %d is not a multiple of 8", c.next)
	}
	_, err = c.Used()
	return err
}

// Used reads the tail and returns how many bytes are unread.
func (c *Consumer) Used() (uint32, error) {
	tail, err := c.mem.Load32(c.tail)
	if err != nil {
		return 0, err
	}
	used := tail - c.next
	if tail%8 != 0 || used > c.size {
		return 0, c.broken("head %d, tail %d, size %d", c.next, tail, c.size)
	}
	return used, nil
}

// Capacity is the ring's size in bytes.
func (c *Consumer) Capacity() uint32 { return c.size }

// Drain copies out all that is unread, frees it for the capsule, wakes it if it
// waits for room, and yields the frames one by one. It reads the memory a
// constant number of times however many frames there are. payload is valid
// until yield returns. It returns the number of frames yielded. Errors match
// ErrRingBroken or ErrOutOfBounds (final), or are yield's own.
func (c *Consumer) Drain(yield func(kind FrameKind, payload []byte) error) (int, error) {
	used, err := c.Used()
	if err != nil || used == 0 {
		return 0, err
	}
	batch := c.room(used)
	if err := c.copy(c.next, batch, c.mem.Read); err != nil {
		return 0, err
	}
	c.next += used
	if err := c.mem.Store32(c.head, c.next); err != nil {
		return 0, err
	}
	// The head is stored before waiting is read, and the capsule sets waiting
	// before it reads the head again: one of the two sees the other.
	waiting, err := c.mem.Load32(c.waiting)
	if err != nil {
		return 0, err
	}
	if waiting != 0 {
		if err := c.wake(); err != nil {
			return 0, err
		}
	}
	for n := 0; ; n++ {
		if len(batch) == 0 {
			return n, nil
		}
		if len(batch) < FrameHeader {
			return n, c.broken("%d stray bytes after a frame", len(batch))
		}
		length := binary.LittleEndian.Uint32(batch)
		kind := binary.LittleEndian.Uint32(batch[4:])
		if length > MaxPayload(c.size) || uint64(FrameHeader+padded(length)) > uint64(len(batch)) {
			return n, c.broken("a frame of %d bytes with %d unread", length, len(batch))
		}
		if kind > 0xffff {
			return n, c.broken("frame header %#x", kind)
		}
		if err := yield(FrameKind(kind), batch[FrameHeader:FrameHeader+length:FrameHeader+length]); err != nil {
			return n, err
		}
		batch = batch[FrameHeader+padded(length):]
	}
}

func (c *Consumer) wake() error {
	c.spaces++
	if err := c.mem.Store32(c.space, c.spaces); err != nil {
		return err
	}
	return c.mem.Notify(c.space)
}
