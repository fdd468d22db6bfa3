// Package background repeats what a node does of its own accord, beside the jobs and
// commands that others ask for. It starts no goroutine: whoever calls it owns one.
package background

import (
	"context"
	"time"
)

// Every calls task at each interval until ctx ends, never twice at a time. A call's
// context ends with ctx, and after limit.
func Every(ctx context.Context, interval, limit time.Duration, task func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if ctx.Err() != nil {
				return
			}
			one, cancel := context.WithTimeout(ctx, limit)
			task(one)
			cancel()
		case <-ctx.Done():
			return
		}
	}
}
