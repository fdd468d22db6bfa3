package background

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A task is called at each interval and never twice at a time, has its time limit, and ends with
// the context.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		var calls []time.Duration
		var ended []error
		done := make(chan struct{})
		go func() {
			defer close(done)
			Every(ctx, time.Second, 2500*time.Millisecond, func(ctx context.Context) {
				calls = append(calls, time.Since(began))
				if len(calls) > 2 {
					<-ctx.Done()
					ended = append(ended, ctx.Err())
				}
			})
		}()
		time.Sleep(6*time.Second + time.Millisecond)
		synctest.Wait()
		require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 5500 * time.Millisecond}, calls)
		require.Equal(t, []error{context.DeadlineExceeded}, ended)
		cancel()
		<-done
		require.Equal(t, []error{context.DeadlineExceeded, context.Canceled}, ended)
	})
}
