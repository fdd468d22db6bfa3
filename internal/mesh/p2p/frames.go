package p2p

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-varint"

	"inos/internal/mesh"
)

// Limits of one frame, in bytes, by what it carries.
const (
	profileFrame = 16 << 10
	requestFrame = mesh.MaxRequest
	chunkFrame   = 1<<20 + 4<<10   // a chunk of at most maxChunk and its wrapping
	commandFrame = mesh.MaxCommand // modules are named, and fetched once the gate has let the command in
	replyFrame   = 64 << 10
	maxChunk     = 1 << 20
	chunkBytes   = 256 << 10 // what this side sends
)

const (
	frameBuffer = 4 << 10
	growStep    = 64 << 10
)

// frames reads and writes length-prefixed frames on a stream: an unsigned
// varint, then that many bytes. Every frame read has silence to do it in, and so has
// leastRate's share of what is written between two flushes. One goroutine may read while another writes.
type frames struct {
	s       network.Stream
	silence time.Duration
	limit   limit
	reading pace
	writing pace
	taken   int           // bytes that were written within this silence
	slow    *slowPlace    // while it has one it may be slower than leastRate; nil: never
	opening time.Duration // how long the first frame may take to begin
	r       *bufio.Reader
	w       *bufio.Writer
	in      []byte       // the last frame read
	first   func() error // told of the first frame, which has less time; nil when there is nothing to tell
}

func newFrames(s network.Stream, silence time.Duration) *frames {
	f := &frames{s: s, silence: silence, opening: min(firstFrame, silence)}
	f.r, f.w = bufio.NewReaderSize(source{f}, frameBuffer), bufio.NewWriterSize(sink{f}, frameBuffer)
	return f
}

// read returns the next frame, valid until the following read. io.EOF means
// that the peer ended the stream between frames.
func (f *frames) read(limit int) ([]byte, error) {
	if f.first != nil {
		return f.readFirst(limit)
	}
	if err := f.wait(f.silence); err != nil {
		return nil, err
	}
	return f.readPatiently(limit)
}

// readFirst reads the frame that opens a stream. It is worth nothing before that.
func (f *frames) readFirst(limit int) ([]byte, error) {
	began := time.Now()
	f.readUntil(began.Add(f.opening))
	n, err := f.length(limit)
	if err != nil {
		return nil, err
	}
	f.readUntil(began.Add(f.opening + time.Duration(n)*time.Second/leastRate))
	data, err := f.body(n)
	if err != nil {
		return nil, err
	}
	f.readUntil(time.Time{})
	told := f.first
	f.first = nil
	return data, told()
}

// limit is a time after which nothing more is read, whatever time a frame may take.
type limit struct {
	mu sync.Mutex
	at time.Time // none when zero
}

// wait lets the next read take up to d, within the limit. A read with a pace has the time of that
// pace alone.
func (f *frames) wait(d time.Duration) error {
	f.limit.mu.Lock()
	defer f.limit.mu.Unlock()
	at := time.Now().Add(d)
	if !f.limit.at.IsZero() && (f.reading.on || f.limit.at.Before(at)) {
		at = f.limit.at
	}
	return f.s.SetReadDeadline(at)
}

// readUntil sets the limit, also for a read that waits now. The zero time takes it away.
func (f *frames) readUntil(at time.Time) {
	f.limit.mu.Lock()
	defer f.limit.mu.Unlock()
	f.limit.at = at
	_ = f.s.SetReadDeadline(at) // one that cannot be set is on a stream that has ended
}

// readPatiently is read, but the deadline in force, if any, stays until the
// frame has begun.
func (f *frames) readPatiently(limit int) ([]byte, error) {
	n, err := f.length(limit)
	if err != nil {
		return nil, err
	}
	return f.body(n)
}

// length reads how long the next frame is; its body follows.
func (f *frames) length(limit int) (int, error) {
	n, err := varint.ReadUvarint(f.r)
	switch {
	case errors.Is(err, varint.ErrOverflow), errors.Is(err, varint.ErrNotMinimal):
		return 0, fmt.Errorf("%w: frame length: %v", mesh.ErrProtocol, err)
	case err != nil:
		return 0, err
	case n > uint64(limit):
		return 0, fmt.Errorf("%w: frame of %d bytes, at most %d", mesh.ErrProtocol, n, limit)
	}
	return int(n), nil
}

// body reads n bytes, valid until the following read.
func (f *frames) body(n int) ([]byte, error) {
	// Memory follows the bytes that came, not the length that was claimed.
	f.in = f.in[:0]
	for left := n; left > 0; {
		step := min(left, growStep)
		at := len(f.in)
		if cap(f.in)-at < step {
			grown := make([]byte, at, min(n, max(2*cap(f.in), at+step)))
			copy(grown, f.in)
			f.in = grown
		}
		f.in = f.in[:at+step]
		if _, err := io.ReadFull(f.r, f.in[at:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		left -= step
		if left > 0 {
			if err := f.wait(f.silence); err != nil {
				return nil, err
			}
		}
	}
	return f.in, nil
}

// extend gives what is read from now on another silence, unless its time was over at that
// moment already. It reports whether it has.
func (f *frames) extend(at time.Time) bool {
	f.limit.mu.Lock()
	defer f.limit.mu.Unlock()
	if f.limit.at.Before(at) {
		return false // somebody has ended the reading
	}
	f.reading.until = time.Now().Add(f.silence)
	f.limit.at = f.reading.until
	return f.s.SetReadDeadline(f.limit.at) == nil // else it is on a stream that has ended
}

// put queues a frame; large ones go out at once.
func (f *frames) put(payload []byte) error {
	if err := f.writes(len(payload)); err != nil {
		return err
	}
	var prefix [binary.MaxVarintLen64]byte
	if _, err := f.w.Write(prefix[:binary.PutUvarint(prefix[:], uint64(len(payload)))]); err != nil {
		return err
	}
	_, err := f.w.Write(payload)
	return err
}

// flush sends what is queued.
func (f *frames) flush() error {
	if err := f.writes(0); err != nil {
		return err
	}
	defer func() { f.writing = pace{} }()
	return f.w.Flush()
}

// send is put and flush.
func (f *frames) send(payload []byte) error {
	if err := f.put(payload); err != nil {
		return err
	}
	return f.flush()
}
