package store

import (
	"bufio"
	"io"
)

// buffered reads frames through a large buffer.
type buffered struct {
	r   *bufio.Reader
	buf []byte
}

// newBuffered reads size bytes of r. A short log gets a short buffer: on js/wasm nothing
// preempts a goroutine, so reading many logs in a row would fill memory before the garbage
// collector's own goroutine runs.
func newBuffered(r io.Reader, size int64) *buffered {
	return &buffered{r: bufio.NewReaderSize(r, int(min(size, 256<<10)))}
}

func (b *buffered) full(p []byte) error {
	_, err := io.ReadFull(b.r, p)
	return err
}

// take returns the next n bytes, valid until the next call.
func (b *buffered) take(n int) ([]byte, error) {
	if n > cap(b.buf) {
		b.buf = make([]byte, n)
	}
	b.buf = b.buf[:n]
	return b.buf, b.full(b.buf)
}
