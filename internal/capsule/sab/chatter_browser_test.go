//go:build js && browser

package sab_test

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall/js"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/supervisor"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

// A capsule that says more than the kernel can hear keeps nothing from its turn:
// the timers of Go and of JavaScript go on, so does another capsule, and it is
// killed for its time limit.
func TestAChattyCapsuleLeavesTheKernelAlive(t *testing.T) {
	hash, fault := built("hash"), built("fault")
	good, bad := capsule.SumCID(hash), capsule.SumCID(fault)
	for _, task := range []capsule.Task{
		{Method: "chat"},
		{Method: "emit", Args: []string{"1000000000000", "8"}},
		{Method: "lie", Args: []string{"drown"}},
		{Method: "lie", Args: []string{"beats"}},
	} {
		t.Run(task.Method, func(t *testing.T) {
			var dropped atomic.Int64
			s, err := supervisor.New(supervisor.Config{
				Runtime: newRuntime(t), Codec: wire.Capsules{}, Blobs: capsules.ModulesOf(hash, fault), MaxCapsules: 4,
				CancelGrace: 100 * time.Millisecond,
				Emit: func(e supervisor.Event) {
					if e, is := e.(supervisor.CapsuleLogged); is && e.Log.Level == 4 {
						dropped.Add(1)
					}
				},
			})
			require.NoError(t, err)
			ctx, stop := context.WithCancel(t.Context())
			var serving sync.WaitGroup
			serving.Go(func() { _ = s.Serve(ctx) })
			defer serving.Wait()
			defer stop()
			serve := func() error {
				_, err := s.Run(ctx, good, supervisor.Limits{}, capsule.Task{Method: "both"}, nil)
				return err
			}
			require.NoError(t, serve())
			// The thread of the bad one is up too: what counts begins with its job.
			_, err = s.Run(ctx, bad, supervisor.Limits{}, capsule.Task{Method: "echo"}, nil)
			require.NoError(t, err)

			ended := make(chan struct{})
			var turns [3]int // of JavaScript's timers, Go's, and the other capsule
			tick := js.FuncOf(func(js.Value, []js.Value) any {
				turns[0]++
				return nil
			})
			defer tick.Release()
			interval := js.Global().Call("setInterval", tick, 5)
			defer js.Global().Call("clearInterval", interval)
			var others sync.WaitGroup
			others.Go(func() {
				for {
					select {
					case <-ended:
						return
					case <-time.After(5 * time.Millisecond):
						turns[1]++
					}
				}
			})
			others.Go(func() {
				for {
					select {
					case <-ended:
						return
					case <-time.After(time.Millisecond): // a caller that never sleeps keeps the thread, too
						if err := serve(); err != nil {
							t.Error(err)
							return
						}
						turns[2]++
					}
				}
			})
			began := time.Now()
			_, err = s.Run(ctx, bad, supervisor.Limits{Time: time.Second}, task, nil)
			close(ended)
			others.Wait()
			t.Logf("ended after %v; turns of JavaScript's timers, of Go's, of another capsule: %v", time.Since(began), turns)
			require.ErrorIs(t, err, supervisor.ErrTimeLimit)
			for _, n := range turns {
				require.Greater(t, n, 20)
			}
			if task.Method == "chat" {
				require.Positive(t, dropped.Load(), "the log says what it lacks")
			}
		})
	}
}
