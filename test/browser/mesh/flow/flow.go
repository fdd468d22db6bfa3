// Package flow is the data that the two sides of the mesh's test send each other, and its checksum.
package flow

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync/atomic"
)

// Source gives Left bytes of numbers, computes their sum, and records how far its reader was ahead
// of what was taken. Read is for one goroutine; Took may be called from another.
type Source struct {
	left        int
	sum         hash.Hash
	read, taken atomic.Int64
	ahead       atomic.Int64
}

// New makes a Source of n bytes.
func New(n int) *Source { return &Source{left: n, sum: sha256.New()} }

// Read implements io.Reader.
func (s *Source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), s.left)]
	for i := range p {
		p[i] = byte(s.left - i + (s.left-i)>>8)
	}
	s.sum.Write(p)
	s.left -= len(p)
	s.ahead.Store(max(s.ahead.Load(), s.read.Add(int64(len(p)))-s.taken.Load()))
	return len(p), nil
}

// Took takes in how many bytes the other side has by now.
func (s *Source) Took(total uint64) { s.taken.Store(int64(total)) }

// Bytes is the number of bytes read so far.
func (s *Source) Bytes() int64 { return s.read.Load() }

// Ahead is the largest number of bytes that were read and not yet taken.
func (s *Source) Ahead() int64 { return s.ahead.Load() }

// Sum is the SHA-256 of the bytes that were read.
func (s *Source) Sum() []byte { return s.sum.Sum(nil) }

// Swallow reads r to its end and returns its SHA-256; onTaken gets the total.
func Swallow(r io.Reader, onTaken func(uint64)) (sum []byte, total uint64, err error) {
	h := sha256.New()
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		h.Write(buf[:n])
		total += uint64(n)
		onTaken(total)
		if err == io.EOF {
			return h.Sum(nil), total, nil
		}
		if err != nil {
			return nil, total, err
		}
	}
}
