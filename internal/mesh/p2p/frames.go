package p2p

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-varint"

	"inos/internal/mesh"
)

// Limits of one frame, in bytes, by what it carries.
const (
	profileFrame = 16 << 10
	requestFrame = 1 << 20
	chunkFrame   = 1<<20 + 4<<10 // a chunk of at most maxChunk and its wrapping
	commandFrame = 16 << 20      // a spawn command may carry its module
	replyFrame   = 64 << 10
	maxChunk     = 1 << 20
	chunkBytes   = 256 << 10 // what this side sends
)

const (
	frameBuffer = 4 << 10
	growStep    = 64 << 10
)

// frames reads and writes length-prefixed frames on a stream: an unsigned
// varint, then that many bytes. Every frame read or flushed has silence to do
// it in. One goroutine may read while another writes.
type frames struct {
	s       network.Stream
	silence time.Duration
	r       *bufio.Reader
	w       *bufio.Writer
	in      []byte // the last frame read
}

func newFrames(s network.Stream, silence time.Duration) *frames {
	return &frames{s: s, silence: silence, r: bufio.NewReaderSize(s, frameBuffer), w: bufio.NewWriterSize(s, frameBuffer)}
}

// read returns the next frame, valid until the following read. io.EOF means
// that the peer ended the stream between frames.
func (f *frames) read(limit int) ([]byte, error) {
	if err := f.s.SetReadDeadline(time.Now().Add(f.silence)); err != nil {
		return nil, err
	}
	return f.readPatiently(limit)
}

// readPatiently is read, but the deadline in force, if any, stays until the
// frame has begun.
func (f *frames) readPatiently(limit int) ([]byte, error) {
	n, err := varint.ReadUvarint(f.r)
	switch {
	case errors.Is(err, varint.ErrOverflow), errors.Is(err, varint.ErrNotMinimal):
		return nil, fmt.Errorf("%w: frame length: %v", mesh.ErrProtocol, err)
	case err != nil:
		return nil, err
	}
	if n > uint64(limit) {
		return nil, fmt.Errorf("%w: frame of %d bytes, at most %d", mesh.ErrProtocol, n, limit)
	}
	// Memory follows the bytes that came, not the length that was claimed.
	f.in = f.in[:0]
	for left := int(n); left > 0; {
		step := min(left, growStep)
		at := len(f.in)
		if cap(f.in)-at < step {
			grown := make([]byte, at, min(int(n), max(2*cap(f.in), at+step)))
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
			if err := f.s.SetReadDeadline(time.Now().Add(f.silence)); err != nil {
				return nil, err
			}
		}
	}
	return f.in, nil
}

// put queues a frame; large ones go out at once.
func (f *frames) put(payload []byte) error {
	if err := f.s.SetWriteDeadline(time.Now().Add(f.silence)); err != nil {
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
	if err := f.s.SetWriteDeadline(time.Now().Add(f.silence)); err != nil {
		return err
	}
	return f.w.Flush()
}

// send is put and flush.
func (f *frames) send(payload []byte) error {
	if err := f.put(payload); err != nil {
		return err
	}
	return f.flush()
}
