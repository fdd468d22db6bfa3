package capsule

import "fmt"

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
