package webtransport

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Dials that begin at the same time share what is left: each that fails is paid for.
func TestDialsAtOnceShareTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failed := 0
		for {
			var ends []func(bool)
			for range dialsAtOnce {
				end, err := b.begin(ctx)
				if err != nil {
					require.ErrorIs(t, err, ErrBackoff)
					continue
				}
				ends = append(ends, end)
			}
			for _, end := range ends {
				end(false)
				failed++
			}
			if len(ends) == 0 {
				break
			}
		}
		require.Equal(t, failureBurst, failed)
		time.Sleep(3 * failureRefill)
		for range 3 {
			end, err := b.begin(t.Context())
			require.NoError(t, err)
			end(false)
		}
		start := time.Now()
		end, err := b.begin(t.Context())
		require.NoError(t, err)
		require.Equal(t, failureRefill, time.Since(start), "the fourth waits until it is forgiven")
		end(false)
	})
}

// Dials that succeed cost nothing, however many; a caller that gives up neither.
func TestSuccessIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget()
		for range 10 * failureBurst {
			end, err := b.begin(t.Context())
			require.NoError(t, err)
			time.Sleep(time.Millisecond)
			end(true)
		}
		require.EqualValues(t, failureBurst, b.left())
		for range failureBurst {
			end, err := b.begin(t.Context())
			require.NoError(t, err)
			end(false)
		}
		var waiting sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range dialsAtOnce {
			waiting.Go(func() {
				_, err := b.begin(ctx)
				require.ErrorIs(t, err, ErrBackoff)
			})
		}
		synctest.Wait()
		cancel()
		waiting.Wait()
		require.Zero(t, b.left(), "who gives up gives back")
		require.Empty(t, b.slots)
	})
}
