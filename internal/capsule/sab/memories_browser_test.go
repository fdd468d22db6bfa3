//go:build js && browser

package sab_test

import (
	"context"
	"flag"
	"slices"
	"sync"
	"syscall/js"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/sab"
	"inos/internal/jsinterop"
)

// node test/browser/capsule/run.mjs --of capsule -- -test.run=TestManyMemories -memories=3000
var memories = flag.Int("memories", 200, "instances of each kind in TestManyMemories")

// growsWide is a module whose memory is as a real capsule's: it starts with 1 MiB and may have 1 GiB.
func growsWide(code []byte) []byte {
	return sample{code: code, minPages: 16, maxPages: 16 << 10}.wasm()
}

// Chromium has 125 shared memories at a time for all that run in a process. Instances that
// grow theirs, eight at a time, come to their ends and let it go before that many others need one.
func TestManyMemories(t *testing.T) {
	for name, code := range map[string][]byte{
		"it returns": grows.code,
		"it traps":   slices.Concat(i32c(1), memoryGrow, drop, unreachable),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := newRuntime(t).Compile(t.Context(), growsWide(code))
			require.NoError(t, err)
			began := time.Now()
			todo := make(chan int, *memories)
			for i := range *memories {
				todo <- i
			}
			close(todo)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for i := range todo {
						in, err := m.Instantiate(t.Context(), 1, 0)
						if err != nil {
							t.Errorf("instance %d: %v", i, err)
							return
						}
						<-in.Doorbell()
						if n := in.Memory().Len(); n != 17*capsule.PageSize {
							t.Errorf("instance %d has %d bytes", i, n)
						}
						in.Kill()
						<-in.Done()
					}
				})
			}
			all.Wait()
			took := time.Since(began)
			t.Logf("%d in %v, %.0f a second", *memories, took.Round(time.Millisecond), float64(*memories)/took.Seconds())
		})
	}
}

// Each of them returns and has its Worker wait with a memory that is of no use to the next.
func TestManyKindsOfMemories(t *testing.T) {
	rt := newRuntime(t)
	todo := make(chan capsule.Module, *memories)
	for i := range *memories {
		m, err := rt.Compile(t.Context(), sample{code: answers.code, minPages: 16, maxPages: uint64(1000 + i%20)}.wasm())
		require.NoError(t, err)
		todo <- m
	}
	close(todo)
	began := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for m := range todo {
				in, err := m.Instantiate(t.Context(), 1, 0)
				if err != nil {
					t.Error(err)
					return
				}
				in.Kill()
				<-in.Done()
			}
		})
	}
	all.Wait()
	t.Logf("%d in %v", *memories, time.Since(began).Round(time.Millisecond))
}

// A Worker that nobody wants after its capsule has returned holds its memory until it is gone,
// and Close waits for that.
func TestCloseWaitsForThoseThatReturned(t *testing.T) {
	held := func() int {
		locks, err := jsinterop.Await(context.Background(), js.Global().Get("navigator").Get("locks").Call("query"), nil)
		require.NoError(t, err)
		return locks.Get("held").Length()
	}
	require.Eventually(t, func() bool { return held() == 0 }, time.Minute, time.Millisecond, "the tests before")
	rt := sab.New(sab.Config{NoSpare: true})
	m, err := rt.Compile(t.Context(), growsWide(grows.code))
	require.NoError(t, err)
	var all []capsule.Instance
	for range 8 {
		in, err := m.Instantiate(t.Context(), 1, 0)
		require.NoError(t, err)
		<-in.Doorbell()
		all = append(all, in)
	}
	require.Equal(t, len(all), held())
	require.NoError(t, rt.Close())
	require.Zero(t, held())
}

// Workers that wait with a memory give it up when the browser has no other.
func TestNoMemoryLeft(t *testing.T) {
	rt := newRuntime(t)
	in := start(t, rt, answers)
	in.Kill()
	<-in.Done()
	require.Eventually(t, func() bool { return stats(t, "waiting") == 1 }, time.Minute, time.Millisecond)
	m, err := rt.Compile(t.Context(), growsWide(grows.code))
	require.NoError(t, err)

	taken := js.Global().Get("Function").New(`
		const all = [];
		try {
			for (;;) all.push(new WebAssembly.Memory({ initial: 1, maximum: 16384, shared: true }));
		} catch {
			return all;
		}`).Invoke()
	_, err = m.Instantiate(t.Context(), 1, 0)
	require.ErrorIs(t, err, capsule.ErrNoMemory)
	require.Zero(t, stats(t, "waiting"))
	t.Logf("%d memories were left", taken.Length())
	taken.Set("length", 0)
	require.Eventually(t, func() bool { // Firefox collects them a while later
		in, err = m.Instantiate(t.Context(), 1, 0)
		return err == nil
	}, time.Minute, time.Millisecond)
	in.Kill()
	<-in.Done()
}
