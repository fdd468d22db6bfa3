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

// A job finds the memory that the module defines, whoever was here before, and whether
// that went well or not.
func TestARunFindsNothingOfAnother(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		spawned := w.spawn(good)
		out, err := w.call(spawned, "put")
		require.NoError(t, err)
		require.Empty(t, out)
		for n, before := range []string{"put", "panic", "return", "no such method", "put"} {
			_, _ = w.run(good, before)
			out, err := w.run(good, "get")
			require.NoError(t, err)
			require.Empty(t, out, "after %q", before)
			_, opened := w.rt.counts()
			require.Equal(t, 3+2*n, opened, "each on an instance of its own, none on the spawned one")
		}
		out, err = w.call(spawned, "get")
		require.NoError(t, err)
		require.Equal(t, "input", out, "a spawned one keeps what it has, for its spawner")
		synctest.Wait()
		running, _ := w.rt.counts()
		require.Equal(t, 1, running, "the instances of the runs are gone")
		for _, in := range w.s.List() {
			require.True(t, in.ID == spawned || in.State == Failed, "%+v: only the one that crashed is of interest", in)
		}
	})
}

func TestRunsThatDoNotStart(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		_, err := w.run(good, "no such method")
		require.ErrorIs(t, err, capsule.ErrUnknownMethod)
		_, err = w.run(nothing, "echo")
		require.ErrorIs(t, err, errNoBlob)
		synctest.Wait()
		require.Len(t, w.s.List(), 1, "only the one that failed to start is of interest")
		_, err = w.s.Run(t.Context(), good, Limits{MemoryBytes: 4 * capsule.PageSize}, capsule.Task{Method: "echo"}, nil)
		require.NoError(t, err)
		require.EqualValues(t, 4*capsule.PageSize, w.rt.last().limit)
	})
}

// Spawned instances are called by their ids, one call after the other.
func TestCalls(t *testing.T) {
	bubble(t, Config{CancelGrace: time.Second}, func(t *testing.T, w *world) {
		id := w.spawn(good)
		var wg sync.WaitGroup
		began := time.Now()
		for range 3 {
			wg.Go(func() {
				_, err := w.call(id, "sleep", "10s")
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		require.Equal(t, 1, w.info(id).Jobs)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.s.Call(ctx, id, 0, capsule.Task{Method: "echo"}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded, "its turn did not come")
		wg.Wait()
		require.InDelta(t, 30, time.Since(began).Seconds(), 0.1)
		_, err = w.s.Call(t.Context(), id, time.Second, capsule.Task{Method: "sleep", Args: []string{"1h"}}, nil)
		require.ErrorIs(t, err, ErrTimeLimit)
		_, err = w.call(id, "echo")
		require.NoError(t, err, "who lets go takes the next call")

		require.Equal(t, capsule.OK, w.to(id, capsule.Pause).Code)
		_, err = w.call(id, "echo")
		require.ErrorIs(t, err, ErrTransition)
		require.Equal(t, capsule.OK, w.to(id, capsule.Resume).Code)

		_, err = w.s.Call(t.Context(), id, time.Second, capsule.Task{Method: "spin"}, nil)
		require.ErrorIs(t, err, ErrTimeLimit)
		_, err = w.call(id, "echo")
		require.ErrorIs(t, err, ErrStopped, "who does not let go is killed, and its turn passes on")
		require.Contains(t, w.ends(id)[0].Reason, "did not let go")
		time.Sleep(time.Second)
		_, err = w.call(id, "echo")
		require.NoError(t, err, "its successor takes calls")
		_, err = w.call("nobody", "echo")
		require.ErrorIs(t, err, ErrNoCapsule)

		go func() { _, _ = w.run(good, "sleep", "10s") }()
		synctest.Wait()
		for _, in := range w.s.List() {
			if in.ID != id {
				_, err = w.call(in.ID, "get")
				require.ErrorIs(t, err, ErrNoCapsule, "the instance of a job takes no call")
				require.ErrorIs(t, w.s.Send(t.Context(), in.ID, []byte("x")), ErrNoCapsule, "no stream")
				_, err = w.s.Listen(in.ID)
				require.ErrorIs(t, err, ErrNoCapsule, "no listener")
				for _, typ := range []capsule.CommandType{capsule.Pause, capsule.Resume, capsule.Snapshot, capsule.ResizeMem} {
					require.Equal(t, capsule.InvalidState, w.to(in.ID, typ).Code, "and no command")
				}
				require.Equal(t, capsule.OK, w.to(in.ID, capsule.Kill).Code, "but kill")
			}
		}
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
		out, err := w.run(other, "echo")
		require.NoError(t, err)
		require.Equal(t, "input", out)
		for range 3 {
			w.spawn(third)
		}
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
		require.ErrorIs(t, limited(0, "sleep"), ErrTimeLimit, "the manifest's minute")
		began = time.Now()
		require.ErrorIs(t, limited(time.Second, "spin"), ErrTimeLimit)
		synctest.Wait()
		require.Equal(t, time.Second, time.Since(began))
		running, opened := w.rt.counts()
		require.Equal(t, 3, opened)
		require.Zero(t, running, "the instance ends with its job, whether it let go or not")
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
		require.Zero(t, running, "the one nobody waits for is gone")
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

// Whoever waits for a run hears what its instance was killed for: what is owed for it, and who
// is to blame, depends on that.
func TestARunHearsWhatItWasKilledFor(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		_, err := w.run(good, "spin")
		require.ErrorIs(t, err, ErrNoHeartbeat)
		require.ErrorIs(t, err, capsule.ErrKilled)
	})
}

// The node begins to work on a run before its capsule is started, and has let go of it when
// the run fails.
func TestARunBeginsAndLetsGo(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, w *world) {
		for _, cid := range []capsule.CID{silent, good} {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			began := 0
			_, err := w.s.Run(capsule.Metered(ctx, func() { began++ }), cid, Limits{}, capsule.Task{Method: "spin"}, nil)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, 1, began)
			running, _ := w.rt.counts()
			require.Zero(t, running)
		}
		began := 0
		_, err := w.s.Run(capsule.Metered(t.Context(), func() { began++ }), nothing, Limits{}, capsule.Task{}, nil)
		require.Error(t, err)
		require.Zero(t, began, "a capsule that cannot be had")
	})
}
