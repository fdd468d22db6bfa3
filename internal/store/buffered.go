package store

import (
	"bufio"
	"io"
)

// buffered reads frames in large pieces.
type buffered struct {
	r   *bufio.Reader
	buf []byte
}

func newBuffered(r io.Reader) *buffered { return &buffered{r: bufio.NewReaderSize(r, 256<<10)} }

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
