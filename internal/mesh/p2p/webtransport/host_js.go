package webtransport

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall/js"
	"unsafe"

	"github.com/libp2p/go-libp2p/core/network"

	"inos/internal/jsinterop"
)

// The functions of web/src/mesh/streams.ts. They return at once and never throw.

//go:wasmimport inos stream_read
func hostRead(handle int32)

//go:wasmimport inos stream_take
//go:noescape
func hostTake(handle int32, p unsafe.Pointer, n uint32) uint32

//go:wasmimport inos stream_write
//go:noescape
func hostWrite(handle int32, p unsafe.Pointer, n uint32)

//go:wasmimport inos stream_close
func hostClose(handle int32)

//go:wasmimport inos stream_cancel
func hostCancel(handle int32, code uint32)

//go:wasmimport inos stream_drain
func hostDrain(handle int32)

//go:wasmimport inos stream_abort
func hostAbort(handle int32, code uint32)

//go:wasmimport inos stream_free
func hostFree(handle int32)

//go:wasmimport inos stream_reason
//go:noescape
func hostReason(handle, side int32, p unsafe.Pointer, n uint32) uint32

// Sides of a stream.
const (
	readSide int32 = iota
	writeSide
)

// handles maps a handle to its *stream. It is package-wide since exports know no
// receiver. Load takes no lock: a goroutine parked inside a Store cannot stop an
// export.
var (
	handles    sync.Map
	lastHandle atomic.Int32
)

// adopt hands a WebTransportBidirectionalStream to the host. The stream is the
// host's from then on; hostFree ends that.
func adopt(s *stream, pair js.Value) error {
	host := js.Global().Get("__inosStreams")
	if host.Type() != js.TypeObject {
		return ErrUnsupported
	}
	handle := lastHandle.Add(1)
	if _, err := jsinterop.Call(host, "adopt", handle, pair); err != nil {
		return fmt.Errorf("webtransport: stream: %w", err)
	}
	s.handle = handle
	handles.Store(handle, s)
	return nil
}

func release(s *stream) {
	handles.Delete(s.handle)
	hostFree(s.handle)
}

// The host calls these when something happened to a stream. They run on whatever
// goroutine was current when Go went idle, so they take no lock and never block;
// the host resumes the scheduler afterwards.

//go:wasmexport inos_stream_read
func onRead(handle, n int32) {
	if v, ok := handles.Load(handle); ok {
		s := v.(*stream)
		s.arrived.Store(int64(n))
		signal(s.readWake)
	}
}

//go:wasmexport inos_stream_wrote
func onWrote(handle, ok int32) {
	if v, found := handles.Load(handle); found {
		s := v.(*stream)
		if ok == 0 {
			s.unwritable.Store(true)
		}
		s.writing.Add(-1)
		signal(s.writeWake)
	}
}

// failure is why a side of s failed, as go-libp2p's callers look for it.
func (s *stream) failure(side int32) error {
	buf := make([]byte, 512)
	n := hostReason(s.handle, side, unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
	part := append(strings.SplitN(string(buf[:n]), "\x00", 4), "", "", "", "")
	if end := s.conn.ended(); end != nil {
		return end
	}
	why := &jsinterop.Error{Name: part[2], Message: part[3]}
	if part[0] == "session" {
		return &network.ConnError{Remote: true, TransportError: fmt.Errorf("%w: %w", ErrLost, why)}
	}
	code, err := strconv.ParseUint(part[1], 10, 32)
	if err != nil {
		code = 0 // Firefox gives a TypeError without source or code for a reset
	}
	return &network.StreamError{ErrorCode: network.StreamErrorCode(code), Remote: true, TransportError: why}
}
