// Package background runs the periodic tasks of a node, apart from the jobs and commands of
// others. It starts no goroutine; the caller provides it.
package background

import (
	"context"
	"time"
)

// Every calls task at each interval, one call at a time, and blocks until ctx ends. A call's
// context ends with ctx, or after limit.
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
