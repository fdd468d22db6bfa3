package supervisor

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

func (w *world) callFor(ctx context.Context, id, method string, args ...string) (string, error) {
	out, err := w.s.Call(ctx, id, 0, capsule.Task{Method: method, Args: args, Input: []byte("input")}, nil)
	return string(out), err
}

// Of two instances of one module each answers for itself.
func TestACallReachesThatVeryInstance(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		var ids []string
		for n := range 4 {
			ids = append(ids, w.spawnWith(capsule.SpawnParams{CID: good.String(), Args: []string{"n", strconv.Itoa(n)}}))
		}
		for range 3 {
			for n, id := range ids {
				out, err := w.call(id, "args")
				require.NoError(t, err)
				require.Equal(t, "n "+strconv.Itoa(n), out)
			}
		}
		_, err := w.call("nobody", "echo")
		require.ErrorIs(t, err, ErrNoCapsule)
		_, err = w.call(ids[0], "no such method")
		require.ErrorIs(t, err, capsule.ErrUnknownMethod)
		require.Equal(t, capsule.OK, w.to(ids[0], capsule.Pause).Code)
		_, err = w.call(ids[0], "echo")
		require.ErrorIs(t, err, ErrPaused)
		require.Equal(t, capsule.OK, w.to(ids[0], capsule.Resume).Code)
		_, err = w.call(ids[0], "echo")
		require.NoError(t, err)
		require.Equal(t, capsule.OK, w.to(ids[1], capsule.Kill).Code)
		_, err = w.call(ids[1], "echo")
		require.ErrorIs(t, err, ErrNoCapsule)
	})
}

// An instance that a job started is nobody's to call.
func TestInstancesOfJobsAreNotCalled(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		_, err := w.run(good, "echo")
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { _, err := w.run(good, "sleep", "1h"); ended <- err }()
		time.Sleep(time.Second) // it is up and at work
		synctest.Wait()
		list := w.s.List()
		_, err = w.call(list[len(list)-1].ID, "echo")
		require.ErrorIs(t, err, ErrNoCapsule)
		require.Equal(t, capsule.OK, w.to(list[len(list)-1].ID, capsule.Kill).Code)
		require.ErrorIs(t, <-ended, capsule.ErrKilled)
	})
}

// Calls of one instance are done one at a time, in the order they came; so many wait,
// and one more is told so. Those that give up leave the line.
func TestCallsTakeTurns(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		impatient, giveUp := context.WithCancel(t.Context())
		for n := range callsWaiting + 1 {
			ctx := t.Context()
			if n == 3 || n == 4 {
				ctx = impatient
			}
			wg.Go(func() {
				_, err := w.callFor(ctx, id, "sleep", "1s")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					order = append(order, n)
				} else {
					require.ErrorIs(t, err, context.Canceled)
				}
			})
			synctest.Wait()
		}
		_, err := w.call(id, "echo")
		require.ErrorIs(t, err, ErrCalls)
		giveUp()
		synctest.Wait()
		began := time.Now()
		wg.Wait()
		require.InDelta(t, callsWaiting-1, time.Since(began).Seconds(), 5)
		require.Len(t, order, callsWaiting-1)
		require.IsIncreasing(t, order)
		out, err := w.call(id, "echo")
		require.NoError(t, err)
		require.Equal(t, "input", out)
		w.s.mu.Lock()
		defer w.s.mu.Unlock()
		require.Zero(t, w.s.live[id].calls)
	})
}

// Whoever kills a capsule ends all its calls alike: the one under way and those that wait.
func TestAKillEndsTheCallsThatWait(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		ends := make(chan error, 3)
		for range 3 {
			go func() { _, err := w.call(id, "sleep", "1h"); ends <- err }()
		}
		synctest.Wait()
		require.Equal(t, capsule.OK, w.to(id, capsule.Kill).Code)
		for range 3 {
			require.ErrorIs(t, <-ends, capsule.ErrKilled)
		}
	})
}

// A call that ends lets the next one have its turn, however it ended: cancelled, out of
// time, or because the instance died under it and another followed.
func TestAfterACallThatFailed(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.callFor(ctx, id, "sleep", "1h")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = w.call(id, "echo")
		require.NoError(t, err, "it has let go")

		_, err = w.s.Call(t.Context(), id, time.Second, capsule.Task{Method: "sleep", Args: []string{"1h"}}, nil)
		require.ErrorIs(t, err, ErrTimeLimit)
		_, err = w.call(id, "echo")
		require.NoError(t, err)

		ends := make(chan error, 3)
		go func() { _, err := w.call(id, "sleep", "10s"); ends <- err }()
		synctest.Wait()
		for range 2 {
			go func() { _, err := w.call(id, "echo"); ends <- err }()
		}
		synctest.Wait()
		w.rt.last().crash <- "boom"
		panicked := 0
		for range 3 { // the others end with it, or wait for the next one
			if errors.Is(<-ends, capsule.ErrPanicked) {
				panicked++
			}
		}
		require.Equal(t, 1, panicked)
		time.Sleep(time.Minute)
		require.Equal(t, Healthy, w.info(id).State)
		_, err = w.call(id, "echo")
		require.NoError(t, err, "the next instance takes calls")

		// One that does not let go is killed for it, and nobody hangs.
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { _, err := w.callFor(ctx, id, "spin"); ends <- err }()
		synctest.Wait()
		go func() { _, err := w.call(id, "echo"); ends <- err }()
		require.ErrorIs(t, <-ends, context.DeadlineExceeded)
		require.Error(t, <-ends)
		time.Sleep(time.Minute)
		_, err = w.call(id, "echo")
		require.NoError(t, err)
	})
}
