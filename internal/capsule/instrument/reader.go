package instrument

import (
	"fmt"

	"inos/internal/fault"
)

// ErrModule says that a module cannot be rewritten: it is malformed, refers to
// something that it does not have, or uses an instruction that is unknown here. Final for
// these bytes.
var ErrModule = fault.Internal("capsule/instrument: module refused")

// reader reads bytes until its first error and zeroes after.
type reader struct {
	b   []byte
	off int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: %s", ErrModule, r.off, fmt.Sprintf(format, args...))
	}
}

func (r *reader) more() bool { return r.err == nil && r.off < len(r.b) }

// finish fails unless all was read.
func (r *reader) finish() {
	if r.more() {
		r.fail("%d bytes follow", len(r.b)-r.off)
	}
}

func (r *reader) byte() byte {
	if r.err != nil || r.off >= len(r.b) {
		r.fail("cut short")
		return 0
	}
	c := r.b[r.off]
	r.off++
	return c
}

// zero reads a reserved byte.
func (r *reader) zero() {
	if c := r.byte(); c != 0 {
		r.fail("reserved byte is %#x", c)
	}
}

func (r *reader) skip(n uint32) {
	if r.err != nil || uint64(n) > uint64(len(r.b)-r.off) {
		r.fail("%d bytes, %d left", n, len(r.b)-r.off)
		return
	}
	r.off += int(n)
}

// u32 reads an unsigned LEB128 number of at most 32 bits in at most 5 bytes.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > 1<<32-1 {
				break
			}
			return uint32(v)
		}
	}
	r.fail("number longer than 32 bits")
	return 0
}

// below reads an index that must be less than n.
func (r *reader) below(n uint32, what string) uint32 {
	i := r.u32()
	if i >= n {
		r.fail("%s %d of %d", what, i, n)
	}
	return i
}

// leb passes over a LEB128 number of at most n bytes.
func (r *reader) leb(n int) {
	for ; n > 0; n-- {
		if r.byte()&0x80 == 0 {
			return
		}
	}
	r.fail("number too long")
}

func (r *reader) name() { r.skip(r.u32()) }

// limits passes over a table's or memory's limits.
func (r *reader) limits() {
	flags := r.byte()
	if flags > 3 {
		r.fail("limits with flags %#x", flags)
	}
	r.u32()
	if flags&1 != 0 {
		r.u32()
	}
}
