package kernel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/supervisor"
)

// trough is a workshop whose capsules take streams.
type trough struct {
	workshop
	taken atomic.Int64
}

func (w *trough) Send(_ context.Context, _ string, p []byte) error {
	w.taken.Add(int64(len(p)))
	return nil
}

// endless gives 16 KiB a millisecond.
type endless struct{ ctx context.Context }

func (e endless) Read(p []byte) (int, error) {
	if e.ctx.Err() != nil {
		return 0, io.EOF
	}
	time.Sleep(time.Millisecond)
	return len(p), nil
}

func TestCongestionThrottlesTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := &trough{}
		k := startOn(t, newCrowd(nil), func(c *Config) { c.Capsules = work })
		ctx, stop := context.WithCancel(t.Context())
		fed := make(chan error, 1)
		go func() {
			_, err := k.Feed(ctx, "c", endless{ctx})
			fed <- err
		}()
		perSecond := func() int64 {
			before := work.taken.Load()
			time.Sleep(time.Second)
			return work.taken.Load() - before
		}
		perSecond() // the valve learns the rate
		free := perSecond()
		k.CapsuleEvent(supervisor.HeartbeatReceived{ID: "c", Heartbeat: capsule.Heartbeat{Congested: true}})
		perSecond()
		jammed := perSecond()
		require.Less(t, jammed, free*6/10, "a congested capsule is fed more slowly")
		require.Positive(t, jammed, "and not starved")
		for range 60 { // it recovers step by step
			k.CapsuleEvent(supervisor.HeartbeatReceived{ID: "c", Heartbeat: capsule.Heartbeat{}})
			time.Sleep(time.Second)
		}
		require.Greater(t, perSecond(), free*9/10, "and at full rate again once it is not")
		stop()
		if err := <-fed; err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
	})
}

func TestFeedEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := &trough{}
		k := startOn(t, newCrowd(nil), func(c *Config) { c.Capsules = work })
		sent, err := k.Feed(t.Context(), "c", bytes.NewReader(make([]byte, 100_000)))
		require.NoError(t, err)
		require.EqualValues(t, 100_000, sent)
		require.EqualValues(t, 100_000, work.taken.Load())

		broken := errors.New("broken")
		_, err = k.Feed(t.Context(), "c", io.MultiReader(bytes.NewReader([]byte("x")), failing{broken}))
		require.ErrorIs(t, err, broken)
	})
	synctest.Test(t, func(t *testing.T) {
		k := startOn(t, newCrowd(nil), nil)
		_, err := k.Feed(t.Context(), "c", bytes.NewReader(nil))
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
