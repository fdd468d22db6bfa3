package wazero_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/hostile"
	"inos/internal/capsule/wazero"
	"inos/internal/testkit/capsules"
)

func compiledApart(t *testing.T, limit time.Duration, memory uint64) *wazero.Runtime {
	program, err := os.Executable()
	require.NoError(t, err)
	rt, err := wazero.New(wazero.Config{Compiler: wazero.Compiler{
		Program: program, Args: []string{compileArg}, Time: limit, Memory: memory,
	}})
	require.NoError(t, err)
	return rt
}

func TestCompiledApart(t *testing.T) {
	rt := compiledApart(t, time.Minute, roomy)
	for _, name := range []string{"hash", "image", "lidar", "wordcount"} {
		compile(t, rt, capsules.Built(t, name))
	}
	in, err := compile(t, rt, capsules.Built(t, "hash")).Instantiate(t.Context(), 1, 0)
	require.NoError(t, err)
	in.Kill()
	<-in.Done()
	_, err = rt.Compile(t.Context(), handmade(hostile.Healthy(nil), 0xff))
	require.ErrorIs(t, err, capsule.ErrCompile)
	require.NotErrorIs(t, err, wazero.ErrCompileLimit)
	_, err = rt.Compile(t.Context(), handmade(hostile.Healthy(nil), opBr, 9))
	require.ErrorIs(t, err, capsule.ErrCompile, "well formed, and not valid")
	require.NoError(t, rt.Close())
}

// A module that takes too long is refused, once and for all, while others run.
func TestCompilationsEnd(t *testing.T) {
	rt := compiledApart(t, 5*time.Second, roomy)
	_, err := rt.Compile(t.Context(), hostile.SlowToCompile())
	require.ErrorIs(t, err, wazero.ErrCompileLimit)
	require.ErrorContains(t, err, "5s")
	again := make(chan error, 1)
	go func() {
		_, err := rt.Compile(t.Context(), hostile.SlowToCompile())
		again <- err
	}()
	require.ErrorIs(t, <-again, wazero.ErrCompileLimit)
	compile(t, rt, handmade(hostile.Healthy(nil), forever...))
	require.NoError(t, rt.Close())
}

func TestCompilationsHaveNoMoreMemoryThanTheyMay(t *testing.T) {
	if roomy > wazero.DefaultCompileMemory {
		t.Skip("the race detector maps terabytes")
	}
	rt := compiledApart(t, time.Minute, 160<<20)
	compile(t, rt, capsules.Built(t, "hash"))
	_, err := rt.Compile(t.Context(), hostile.SlowToCompile())
	require.ErrorIs(t, err, wazero.ErrCompileLimit)
	require.ErrorContains(t, err, "160 MiB")
	require.NoError(t, rt.Close())
}

// Close does not wait for a compiler, nor does a caller whose time is over.
func TestCloseEndsACompilation(t *testing.T) {
	rt := compiledApart(t, time.Hour, roomy)
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := rt.Compile(t.Context(), hostile.SlowToCompile())
			ended <- err
		}()
	}
	require.NoError(t, rt.Close())
	for range 2 {
		require.Error(t, <-ended)
	}
	_, err := rt.Compile(t.Context(), hostile.SlowToCompile())
	require.ErrorIs(t, err, wazero.ErrClosed)
}

// A module is compiled for as long as somebody waits for it, and one that waits for its turn
// has not begun.
func TestACompilationEndsWithWhoWaitsForIt(t *testing.T) {
	rt := compiledApart(t, time.Hour, roomy)
	type caller struct {
		began, ended chan struct{}
		leave        context.CancelFunc
	}
	ask := func(wasm []byte) *caller {
		ctx, cancel := context.WithCancel(t.Context())
		c := &caller{make(chan struct{}), make(chan struct{}), cancel}
		go func() {
			defer close(c.ended)
			_, _ = rt.Compile(capsule.Metered(ctx, func() { close(c.began) }), wasm)
		}()
		return c
	}
	slow := hostile.SlowToCompile()
	first, second := ask(slow), ask(slow)
	<-first.began
	<-second.began
	first.leave()
	<-first.ended
	other := ask(handmade(hostile.Healthy(nil), forever...))
	select {
	case <-other.began:
		t.Fatal("one at a time")
	case <-second.ended:
		t.Fatal("somebody waits for it")
	case <-time.After(100 * time.Millisecond): // nothing is waited for: nothing shall happen
	}
	second.leave()
	<-second.ended
	<-other.began
	<-other.ended
	require.NoError(t, rt.Close())
}

// A function of many locals is refused before anybody compiles it.
func TestLocalsAreCounted(t *testing.T) {
	rt := sharedRuntime(t)
	for _, n := range []int{50_001, 80_000_000, 270_000_000} {
		_, err := rt.Compile(t.Context(), hostile.Module(hostile.Locals(n)))
		require.ErrorIs(t, err, capsule.ErrCompile)
		require.ErrorContains(t, err, "locals")
	}
	_, err := rt.Compile(t.Context(), hostile.Module(hostile.Locals(50_000)))
	require.NoError(t, err)
}
