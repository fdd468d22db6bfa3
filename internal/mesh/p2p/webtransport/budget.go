package webtransport

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Chromium counts failed sessions among the 64 that may be pending in a page, for a time that
// grows; once they fill it, every dial fails until reload. So few dials run at once, and a budget
// that refills slowly pays for failures.
const (
	dialsAtOnce   = 4
	failureBurst  = 24
	failureRefill = 5 * time.Second
)

// budget limits dials. Each running dial may fail, so the budget sets one failure aside for it:
// dials at the same time cannot use the same allowance.
type budget struct {
	slots chan struct{}

	mu       sync.Mutex
	running  int           // dials
	failures *rate.Limiter // a token is a failure that may happen
}

func newBudget() *budget {
	return &budget{slots: make(chan struct{}, dialsAtOnce), failures: rate.NewLimiter(rate.Every(failureRefill), failureBurst)}
}

// begin blocks until a slot and the allowance of a failure are free. It returns the function that
// ends the dial. Errors match ErrBackoff when ctx ends before the budget allows a dial, or would.
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
		b.end(ok)
		<-b.slots
	}, nil
}

// setAside takes one failure, and waits until those of the past leave room for it.
func (b *budget) setAside(ctx context.Context) error {
	b.mu.Lock()
	b.running++
	left := b.left()
	b.mu.Unlock()
	if left >= 0 {
		return nil
	}
	wait := time.Duration(-left * float64(failureRefill)).Round(time.Microsecond)
	if until, ok := ctx.Deadline(); ok && time.Until(until) < wait {
		b.end(true)
		return fmt.Errorf("%w: next one in %s", ErrBackoff, wait.Round(time.Millisecond))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		b.end(true)
		return fmt.Errorf("%w: %w", ErrBackoff, ctx.Err())
	}
}

// end gives the failure back that a dial has set aside, or has it happen.
func (b *budget) end(ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running--; !ok {
		b.failures.Reserve() // its delay is that of the next dial, which asks left
	}
}

// left is how many failures are neither spent nor set aside; below 0: so many wait. The
// caller holds mu.
func (b *budget) left() float64 { return b.failures.Tokens() - float64(b.running) }
