package sab

import (
	"fmt"
	"syscall/js"
	"unsafe"

	"inos/internal/capsule"
)

// memory is a handle's shared memory. Once its instance was killed or let go,
// every access returns an error that matches capsule.ErrKilled.
type memory struct{ handle int32 }

func (m memory) Len() uint64 { return uint64(max(hostLen(m.handle), 0)) }

func (m memory) Load32(off uint32) (uint32, error) {
	v := hostLoad32(m.handle, off)
	if v < 0 {
		return 0, m.failure(int32(v), off, 4)
	}
	return uint32(v), nil
}

func (m memory) Store32(off, v uint32) error {
	return m.check(hostStore32(m.handle, off, v), off, 4)
}

func (m memory) Store64(off uint32, v uint64) error {
	return m.check(hostStore64(m.handle, off, v), off, 8)
}

func (m memory) Read(off uint32, p []byte) error {
	if len(p) == 0 {
		return m.empty(off)
	}
	return m.check(hostRead(m.handle, off, unsafe.Pointer(unsafe.SliceData(p)), uint32(len(p))), off, len(p))
}

func (m memory) Write(off uint32, p []byte) error {
	if len(p) == 0 {
		return m.empty(off)
	}
	return m.check(hostWrite(m.handle, off, unsafe.Pointer(unsafe.SliceData(p)), uint32(len(p))), off, len(p))
}

func (m memory) Notify(off uint32) error { return m.check(hostNotify(m.handle, off), off, 4) }

// spinFor is how long Spin looks: what a capsule takes for a command, with some
// to spare, and less than the browser takes to wake this Worker.
const spinFor = 25 // µs

// Spin implements capsule.Spinner.
func (m memory) Spin(off, seen uint32) bool {
	return spare && hostSpin(m.handle, off, seen, spinFor) == 1
}

// spare says that there is a core for the capsule while this Worker looks.
var spare = func() bool {
	n := js.Global().Get("navigator").Get("hardwareConcurrency")
	return n.Type() == js.TypeNumber && n.Int() > 1
}()

func (m memory) Grow(bytes uint64) (uint64, error) {
	n := hostGrow(m.handle, float64(bytes))
	if n < 0 {
		if int32(n) == codeGone {
			return 0, errGone
		}
		return 0, fmt.Errorf("%w: %d bytes", capsule.ErrNoMemory, bytes)
	}
	return uint64(n), nil
}

// empty is an access of no bytes: allowed up to the very end of the memory.
func (m memory) empty(off uint32) error {
	if uint64(off) > m.Len() {
		return m.failure(codeOutOfBounds, off, 0)
	}
	return nil
}

func (m memory) check(code int32, off uint32, n int) error {
	if code == codeOK {
		return nil
	}
	return m.failure(code, off, n)
}

func (m memory) failure(code int32, off uint32, n int) error {
	switch code {
	case codeGone:
		return errGone
	case codeMisaligned:
		return fmt.Errorf("%w: %d bytes at %d are misaligned", capsule.ErrOutOfBounds, n, off)
	default:
		return fmt.Errorf("%w: %d bytes at %d", capsule.ErrOutOfBounds, n, off)
	}
}
