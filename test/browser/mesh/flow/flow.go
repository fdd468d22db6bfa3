// Package flow is what the two sides of the mesh's test feed each other, and how they
// add it up.
package flow

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync/atomic"
)

// Source gives Left bytes of numbers, adds itself up, and notes how far its reader
// was ahead of what was taken. Read is for one goroutine; Taken may be called from
// another.
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

// Took hears how many bytes the other side has by now.
func (s *Source) Took(total uint64) { s.taken.Store(int64(total)) }

// Bytes is how many were read so far.
func (s *Source) Bytes() int64 { return s.read.Load() }

// Ahead is the most that was read and not yet taken.
func (s *Source) Ahead() int64 { return s.ahead.Load() }

// Sum is the SHA-256 of what was read.
func (s *Source) Sum() []byte { return s.sum.Sum(nil) }

// Swallow reads r to its end and returns the SHA-256 of it; onTaken hears the total.
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
