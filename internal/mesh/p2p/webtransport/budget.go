package webtransport

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Chromium keeps failed sessions among the 64 it lets be pending in a page, for
// a time that grows; once they fill it, every dial fails until reload. So few
// dials run at once and failures are paid for from a budget that refills slowly.
const (
	dialsAtOnce   = 4
	failureBurst  = 24
	failureRefill = 5 * time.Second
)

// budget is what dials may cost. Each sets a failure aside when it begins, so that
// dials that run at the same time cannot fail on the same allowance, and gives it back
// when it was none.
type budget struct {
	slots chan struct{}

	mu    sync.Mutex
	left  float64 // failures; below 0: so many wait
	since time.Time
}

func newBudget() *budget {
	return &budget{slots: make(chan struct{}, dialsAtOnce), left: failureBurst, since: time.Now()}
}

// begin waits for a free slot and for failures to be forgiven, and returns how
// to end the dial. Errors match ErrBackoff when ctx ends before the budget
// allows, or would.
func (b *budget) begin(ctx context.Context) (end func(ok bool), err error) {
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := b.setAside(ctx); err != nil {
		<-b.slots
		return nil, err
	}
	return func(ok bool) {
		if ok {
			b.add(1)
		}
		<-b.slots
	}, nil
}

// setAside takes one failure, and waits until those of the past leave room for it.
func (b *budget) setAside(ctx context.Context) error {
	left := b.add(-1)
	if left >= 0 {
		return nil
	}
	wait := time.Duration(-left * float64(failureRefill))
	if until, ok := ctx.Deadline(); ok && time.Until(until) < wait {
		b.add(1)
		return fmt.Errorf("%w: next one in %s", ErrBackoff, wait.Round(time.Millisecond))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		b.add(1)
		return fmt.Errorf("%w: %w", ErrBackoff, ctx.Err())
	}
}

// add forgives what time has forgiven, adds n and returns what is left.
func (b *budget) add(n float64) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.left = min(b.left+float64(now.Sub(b.since))/float64(failureRefill), failureBurst)
	b.since = now
	b.left = min(b.left+n, failureBurst)
	return b.left
}
