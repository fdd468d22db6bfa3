package supervisor

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

func TestRunReusesAnIdleInstance(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		for range 5 {
			out, err := w.run(good, "echo")
			require.NoError(t, err)
			require.Equal(t, "input", out)
		}
		_, opened := w.rt.counts()
		require.Equal(t, 1, opened)

		_, err := w.s.Run(t.Context(), good, Limits{MemoryBytes: 4 * capsule.PageSize}, capsule.Task{Method: "echo"}, nil)
		require.NoError(t, err)
		_, opened = w.rt.counts()
		require.Equal(t, 2, opened, "another memory limit needs another instance")

		_, err = w.run(good, "no such method")
		require.ErrorIs(t, err, capsule.ErrUnknownMethod)
		_, err = w.run(nothing, "echo")
		require.ErrorIs(t, err, errNoBlob)

		time.Sleep(DefaultIdleAfter + time.Second)
		running, _ := w.rt.counts()
		require.Zero(t, running)
		require.Len(t, w.s.List(), 1, "only the one that failed to start is of interest")
	})
}

func TestRunsOnSpawnedOnesToo(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		_, err := w.run(good, "echo")
		require.NoError(t, err)
		time.Sleep(10 * DefaultIdleAfter)
		require.Equal(t, Healthy, w.info(id).State, "who was spawned stays")
		require.Equal(t, capsule.OK, w.to(id, capsule.Pause).Code)
		_, err = w.run(good, "echo")
		require.NoError(t, err)
		_, opened := w.rt.counts()
		require.Equal(t, 2, opened, "a paused one takes no runs")
	})
}

func TestEachRunHasItsInstance(t *testing.T) {
	bubble(t, Config{MaxCapsules: 3}, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, err := w.run(good, "sleep", "10s")
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		_, err := w.run(good, "echo")
		require.ErrorIs(t, err, ErrBusy)
		require.Equal(t, capsule.Refused, w.trySpawn(other).Code)
		wg.Wait()
		// An idle one makes room, after it has ended.
		out, err := w.run(other, "echo")
		require.NoError(t, err)
		require.Equal(t, "input", out)
		w.spawn(third)
		running, _ := w.rt.counts()
		require.Equal(t, 3, running)
		// Spawned ones do not.
		w.spawn(third)
		w.spawn(third)
		_, err = w.run(good, "echo")
		require.ErrorIs(t, err, ErrBusy)
	})
}

func TestProgress(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		var seen [][2]uint64
		_, err := w.s.Run(t.Context(), good, Limits{}, capsule.Task{Method: "sleep", Args: []string{"1s"}}, func(done, total uint64) {
			seen = append(seen, [2]uint64{done, total})
		})
		require.NoError(t, err)
		for _, p := range seen {
			require.Equal(t, [2]uint64{1, 2}, p)
		}
	})
}

func TestTimeLimit(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		limited := func(d time.Duration, method string) error {
			_, err := w.s.Run(t.Context(), good, Limits{Time: d}, capsule.Task{Method: method, Args: []string{"1h"}}, nil)
			return err
		}
		began := time.Now()
		err := limited(3*time.Second, "sleep")
		require.ErrorIs(t, err, ErrTimeLimit)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.InDelta(t, 3, time.Since(began).Seconds(), 0.1)
		synctest.Wait()
		require.ErrorIs(t, limited(0, "sleep"), ErrTimeLimit, "the manifest's minute")
		synctest.Wait()
		_, opened := w.rt.counts()
		require.Equal(t, 1, opened, "who lets go is used again")

		require.ErrorIs(t, limited(time.Second, "spin"), ErrTimeLimit)
		_, err = w.run(good, "echo")
		require.NoError(t, err)
		_, opened = w.rt.counts()
		require.Equal(t, 2, opened, "who does not let go is not")
		time.Sleep(DefaultCancelGrace + time.Second)
		running, _ := w.rt.counts()
		require.Equal(t, 1, running, "and is killed")
		require.Contains(t, w.ends("c1")[0].Reason, "did not let go")
	})
}

func TestCancelledRun(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.s.Run(ctx, good, Limits{}, capsule.Task{Method: "sleep", Args: []string{"1h"}}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrTimeLimit, "it is the caller's own")
		_, err = w.s.Run(ctx, good, Limits{}, capsule.Task{Method: "echo"}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = w.s.Run(ctx, silent, Limits{}, capsule.Task{Method: "echo"}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		running, _ := w.rt.counts()
		require.Equal(t, 1, running, "the one nobody waits for is gone")
	})
}

// Between its crash and the end of its thread an instance is no use to anybody.
func TestADyingInstanceTakesNoRuns(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		_, err := w.run(lingers, "panic")
		require.ErrorIs(t, err, capsule.ErrPanicked)
		out, err := w.run(lingers, "echo")
		require.NoError(t, err)
		require.Equal(t, "input", out)
	})
}

func TestACrashedRunEndsItsInstance(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		_, err := w.run(good, "panic", "x")
		require.ErrorIs(t, err, capsule.ErrPanicked)
		synctest.Wait()
		in := w.s.List()
		require.Len(t, in, 1)
		require.Equal(t, Failed, in[0].State)
		_, err = w.run(good, "echo")
		require.NoError(t, err)
		_, err = w.run(dies, "echo")
		require.ErrorIs(t, err, capsule.ErrPanicked)
		_, err = w.run(returns, "echo")
		require.Error(t, err)
	})
}
