package webtransport

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// Chromium keeps failed sessions among the 64 it lets be pending in a page, for
// a time that grows; once they fill it, every dial fails until reload. So few
// dials run at once and failures are paid for from a budget that refills slowly.
const (
	dialsAtOnce   = 4
	failureBurst  = 24
	failureRefill = 5 * time.Second
)

type budget struct {
	slots    chan struct{}
	failures *rate.Limiter
}

func newBudget() *budget {
	return &budget{
		slots:    make(chan struct{}, dialsAtOnce),
		failures: rate.NewLimiter(rate.Every(failureRefill), failureBurst),
	}
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
	if err := b.forgiven(ctx); err != nil {
		<-b.slots
		return nil, err
	}
	return func(ok bool) {
		if !ok {
			b.failures.Allow() // takes a token if there is one
		}
		<-b.slots
	}, nil
}

// forgiven waits until the failures of the past leave room for one more.
func (b *budget) forgiven(ctx context.Context) error {
	missing := 1 - b.failures.Tokens()
	if missing <= 0 {
		return nil
	}
	wait := time.Duration(missing * float64(failureRefill))
	if until, ok := ctx.Deadline(); ok && time.Until(until) < wait {
		return fmt.Errorf("%w: next one in %s", ErrBackoff, wait.Round(time.Millisecond))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBackoff, ctx.Err())
	}
}
