package capsule

import (
	"encoding/binary"
	"fmt"
	"slices"
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

// Consumer is the reading end of a ring from a capsule. One goroutine at a time
// uses it. It allocates nothing in steady state.
type Consumer struct {
	ring
	head, tail, space, waiting uint32 // addresses
	next                       uint32 // own head
	spaces                     uint32 // value of the space word
	rest                       []byte // of the last batch: freed for the capsule, not yielded yet
	taken                      uint32 // frames yielded since enough was asked
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
	return c.drain(yield, func() bool { return false })
}

// framesPerLook is how many frames drain yields between two questions whether it is
// enough; a frame of bytesPerFrame counts twice.
const (
	framesPerLook = 64
	bytesPerFrame = 2048
)

// drain is Drain that stops when enough says so, which it asks now and then: the
// next call goes on there.
func (c *Consumer) drain(yield func(kind FrameKind, payload []byte) error, enough func() bool) (int, error) {
	batch := c.rest
	if len(batch) == 0 {
		used, err := c.Used()
		if err != nil || used == 0 {
			return 0, err
		}
		batch = c.room(used)
		if err := c.copy(c.next, batch, c.mem.Read); err != nil {
			return 0, err
		}
		if err := c.advance(used); err != nil {
			return 0, err
		}
	}
	c.rest = nil
	for n := 0; ; n++ {
		if len(batch) == 0 {
			return n, nil
		}
		if c.taken >= framesPerLook {
			if c.taken = 0; enough() {
				c.rest = batch
				return n, nil
			}
		}
		if len(batch) < FrameHeader {
			return n, c.broken("%d stray bytes after a frame", len(batch))
		}
		kind, length, err := c.header(batch, uint32(len(batch)))
		if err != nil {
			return n, err
		}
		if err := yield(kind, batch[FrameHeader:FrameHeader+length:FrameHeader+length]); err != nil {
			return n, err
		}
		c.taken += 1 + length/bytesPerFrame
		batch = batch[FrameHeader+padded(length):]
	}
}

// header reads and checks a frame's header, with unread bytes from it on.
func (c *Consumer) header(frame []byte, unread uint32) (kind FrameKind, length uint32, err error) {
	length = binary.LittleEndian.Uint32(frame)
	k := binary.LittleEndian.Uint32(frame[4:])
	if length > MaxPayload(c.size) || FrameHeader+padded(length) > unread {
		return 0, 0, c.broken("a frame of %d bytes with %d unread", length, unread)
	}
	if k > 0xffff {
		return 0, 0, c.broken("frame header %#x", k)
	}
	return FrameKind(k), length, nil
}

// peek is how much pop copies at once: an answer is shorter, as a rule.
const peek = 256

// pop takes the first unread frame if it is of one of kinds; kind 0 says that it
// is not, or that nothing is unread. payload is valid until the next call; rest is
// how many bytes were unread after it. Errors match ErrRingBroken or
// ErrOutOfBounds (final).
func (c *Consumer) pop(kinds ...FrameKind) (kind FrameKind, payload []byte, rest uint32, err error) {
	if len(c.rest) > 0 {
		return 0, nil, 0, nil // they come first, and who stopped among them goes on
	}
	used, err := c.Used()
	if err != nil || used == 0 {
		return 0, nil, 0, err
	}
	if used < FrameHeader {
		return 0, nil, 0, c.broken("%d stray bytes after a frame", used)
	}
	frame := c.room(min(used, peek))
	if err := c.copy(c.next, frame, c.mem.Read); err != nil {
		return 0, nil, 0, err
	}
	kind, length, err := c.header(frame, used)
	if err != nil || !slices.Contains(kinds, kind) {
		return 0, nil, 0, err
	}
	total := FrameHeader + padded(length)
	if uint64(total) > uint64(len(frame)) {
		// What was looked at is not looked at again: the header's copy counts.
		frame = c.room(total)
		if err := c.copy(c.next, frame, c.mem.Read); err != nil {
			return 0, nil, 0, err
		}
	}
	return kind, frame[FrameHeader : FrameHeader+length : FrameHeader+length], used - total, c.advance(total)
}

// advance frees what was copied out and wakes the capsule if it waits for room.
func (c *Consumer) advance(bytes uint32) error {
	c.next += bytes
	if err := c.mem.Store32(c.head, c.next); err != nil {
		return err
	}
	// The head is stored before waiting is read, and the capsule sets waiting
	// before it reads the head again: one of the two sees the other.
	waiting, err := c.mem.Load32(c.waiting)
	if err != nil || waiting == 0 {
		return err
	}
	return c.wake()
}

func (c *Consumer) wake() error {
	c.spaces++
	if err := c.mem.Store32(c.space, c.spaces); err != nil {
		return err
	}
	return c.mem.Notify(c.space)
}
