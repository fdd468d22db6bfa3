package p2p

import (
	"context"
	"io"
	"sync"
	"time"
)

// heardTime is how long a job's caller may take to close its side of the stream once
// it has been sent the outcome.
const heardTime = 5 * time.Second

// answering counts the job streams whose callers may not have the outcome yet. QUIC drops
// what it has not delivered when a connection is closed.
type answering struct {
	mu    sync.Mutex
	n     int
	empty []chan struct{} // closed when n is 0
}

func (a *answering) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
}

func (a *answering) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n--; a.n > 0 {
		return
	}
	for _, c := range a.empty {
		close(c)
	}
	a.empty = nil
}

// untilHeard blocks until a job's caller has closed its side of the stream, which it does when it
// has the outcome.
func (m *Mesh) untilHeard(closed <-chan struct{}) {
	limit := time.NewTimer(heardTime)
	defer limit.Stop()
	select {
	case <-closed:
	case <-limit.C:
	case <-m.life.Done():
	}
}

// discard reads what a caller sends until it has closed its side.
func discard(s *frames) {
	_ = s.s.SetReadDeadline(time.Time{}) // CloseRead ends it
	_, _ = io.Copy(io.Discard, s.s)
}

// Settle blocks until every caller of a job of this node has its outcome, or is gone. Call it
// before Close, when no more jobs are taken. Errors are ctx's.
func (m *Mesh) Settle(ctx context.Context) error {
	m.answering.mu.Lock()
	if m.answering.n == 0 {
		m.answering.mu.Unlock()
		return nil
	}
	empty := make(chan struct{})
	m.answering.empty = append(m.answering.empty, empty)
	m.answering.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
