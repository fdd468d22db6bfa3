//go:build !js

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"strconv"
	"sync/atomic"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// HandleFeed takes a stream and says its SHA-256, at once, or for "held" after a job
// has said "release".
func (w *worker) HandleFeed(ctx context.Context, _ identity.PeerID, call mesh.FeedCall, r io.ReadCloser, onTaken func(uint64)) mesh.FeedEnd {
	if call.Capsule == "held" {
		select {
		case <-w.released:
		case <-ctx.Done():
			return mesh.FeedEnd{Code: capsule.Refused, Reason: "cancelled"}
		}
	}
	if call.Capsule == "refused" {
		_, _ = io.CopyN(io.Discard, r, 1<<20)
		return mesh.FeedEnd{Code: capsule.Crashed, Reason: "capsule_killed", Message: "killed: on demand"}
	}
	sum := sha256.New()
	total, err := swallow(r, sum, onTaken)
	if err != nil {
		return mesh.FeedEnd{Code: capsule.Refused, Reason: "failed", Message: err.Error(), Taken: total}
	}
	return mesh.FeedEnd{Message: fmt.Sprintf("%x", sum.Sum(nil)), Taken: total}
}

func swallow(r io.Reader, sum hash.Hash, onTaken func(uint64)) (total uint64, err error) {
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		sum.Write(buf[:n])
		total += uint64(n)
		onTaken(total)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// source gives numbers, adds itself up, and notes how far its reader was ahead of
// what was taken.
type source struct {
	left  int
	sum   hash.Hash
	read  atomic.Int64
	taken atomic.Int64
	ahead atomic.Int64
}

func (s *source) Read(p []byte) (int, error) {
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

// feedBack streams to whoever asks, over the connection it came by: as many bytes as
// input says. It answers "taken sum ahead".
func (w *worker) feedBack(ctx context.Context, to identity.PeerID, id string, input []byte) ([]byte, error) {
	size, err := strconv.Atoi(string(input))
	if err != nil {
		return nil, err
	}
	s := &source{left: size, sum: sha256.New()}
	w.feeding.Store(s)
	defer w.feeding.Store(nil)
	end, err := w.m.Feed(ctx, to, mesh.FeedCall{Capsule: id, Envelope: governance.Envelope{ID: "back", Type: mesh.FeedType}}, s,
		func(total uint64) { s.taken.Store(int64(total)) })
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%d %x %d %s", end.Taken, s.sum.Sum(nil), s.ahead.Load(), end.Reason), nil
}
