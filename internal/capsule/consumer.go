package capsule

import (
	"encoding/binary"
	"slices"
)

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
