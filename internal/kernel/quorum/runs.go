package quorum

import (
	"context"
	"sync"
)

// Runs owns the goroutines of every Run of one kernel. They end with the context that Runs was made
// with, and Close waits for them. Safe for concurrent use.
type Runs struct {
	life context.Context

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// NewRuns makes Runs that end with life.
func NewRuns(life context.Context) *Runs { return &Runs{life: life} }

// start calls run n times, each in a goroutine. It reports false after Close.
func (r *Runs) start(n int, run func(i int)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	for i := range n {
		r.wg.Go(func() { run(i) })
	}
	return true
}

// Close prevents further starts and waits for the Runs that are under way.
func (r *Runs) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wg.Wait()
}
