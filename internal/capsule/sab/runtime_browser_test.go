//go:build js && browser

package sab_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"syscall/js"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/sab"
	"inos/internal/fault"
)

// stats asks the JavaScript side what it still holds.
func stats(t testing.TB, what string) int {
	t.Helper()
	return js.Global().Get("__inosCapsules").Call("stats").Get(what).Int()
}

func newRuntime(t testing.TB) *sab.Runtime {
	rt := sab.New(sab.Config{})
	t.Cleanup(func() {
		require.NoError(t, rt.Close())
		require.Zero(t, stats(t, "workers"))
		require.Zero(t, stats(t, "waiting"))
	})
	return rt
}

func start(t testing.TB, rt *sab.Runtime, s sample) capsule.Instance {
	t.Helper()
	m, err := rt.Compile(t.Context(), s.wasm())
	require.NoError(t, err)
	in, err := m.Instantiate(t.Context(), 7, 0)
	require.NoError(t, err)
	return in
}

func TestStops(t *testing.T) {
	in := start(t, newRuntime(t), stops)
	<-in.Done()
	require.NoError(t, in.Err())
	state, err := in.Memory().Load32(in.Control() + capsule.OffState)
	require.NoError(t, err)
	require.Equal(t, capsule.StateStopped, state)
	epoch, err := in.Memory().Load32(in.Control() + capsule.OffMemoryEpoch)
	require.NoError(t, err)
	require.EqualValues(t, 7, epoch)
}

func TestTraps(t *testing.T) {
	in := start(t, newRuntime(t), traps)
	<-in.Doorbell()
	<-in.Done()
	require.ErrorIs(t, in.Err(), capsule.ErrTrap)
	require.ErrorContains(t, in.Err(), "unreachable")
	state, err := in.Memory().Load32(in.Control() + capsule.OffState)
	require.NoError(t, err)
	require.Equal(t, capsule.StateTrapped, state)
}

func TestPanicKeepsItsMessage(t *testing.T) {
	in := start(t, newRuntime(t), panics)
	<-in.Done()
	var p *capsule.PanicError
	require.ErrorAs(t, in.Err(), &p)
	require.Equal(t, "src/lib.rs:7:9: index 9 out of range", p.Message)
}

func TestKill(t *testing.T) {
	for name, s := range map[string]sample{"endless loop": spins, "asleep": sleeps, "storm": storms, "answering": answers} {
		t.Run(name, func(t *testing.T) {
			in := start(t, newRuntime(t), s)
			began := time.Now()
			in.Kill()
			in.Kill()
			<-in.Done()
			t.Logf("killed and gone after %v", time.Since(began))
			require.ErrorIs(t, in.Err(), capsule.ErrKilled)
			_, err := in.Memory().Load32(in.Control())
			require.ErrorIs(t, err, capsule.ErrKilled)
		})
	}
}

// A kill is told to the capsule, wherever it sleeps, before its Worker is
// terminated: this thread lets no other event come in between.
func TestAKillIsTold(t *testing.T) {
	for name, word := range map[string]uint32{"idle": capsule.OffCommandDoorbell, "its ring is full": capsule.OffEventSpace} {
		t.Run(name, func(t *testing.T) {
			in := start(t, newRuntime(t), confessesOn(word))
			<-in.Doorbell()
			time.Sleep(20 * time.Millisecond) // it may or may not sleep by now
			before, err := in.Memory().Load32(in.Control() + word)
			require.NoError(t, err)
			in.Kill()
			after, err := in.Memory().Load32(in.Control() + word)
			require.NoError(t, err)
			require.Equal(t, before+1, after, "one about to sleep sees a change")
			told := uint32(0)
			for until := time.Now().Add(5 * time.Second); told == 0 && time.Now().Before(until); {
				told, err = in.Memory().Load32(4096)
				require.NoError(t, err)
			}
			require.EqualValues(t, 1, told)
			<-in.Done()
			require.ErrorIs(t, in.Err(), capsule.ErrKilled)
		})
	}
}

func TestKillAfterTheEndLetsTheMemoryGo(t *testing.T) {
	rt := newRuntime(t)
	before := stats(t, "instances")
	in := start(t, rt, stops)
	<-in.Done()
	require.Equal(t, before+1, stats(t, "instances"))
	in.Kill()
	require.Equal(t, before, stats(t, "instances"))
	require.NoError(t, in.Err())
}

func TestRefusedModules(t *testing.T) {
	rt := newRuntime(t)
	good := spins.wasm()
	unshared := bytes.Replace(good, []byte("memory\x02\x03"), []byte("memory\x02\x01"), 1)
	stranger := bytes.Replace(good, []byte("\x03env"), []byte("\x03wasi"[:4]), 1)
	for _, c := range []struct {
		name string
		wasm []byte
		err  error
	}{
		{"empty", nil, capsule.ErrNotWasm},
		{"text", []byte("not wasm at all"), capsule.ErrNotWasm},
		{"truncated", good[:len(good)-3], capsule.ErrNotWasm},
		{"memory not shared", unshared, capsule.ErrNoSharedMemory},
		{"unknown import", stranger, capsule.ErrUnknownImport},
		{"invalid code", invalid.wasm(), capsule.ErrCompile},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rt.Compile(t.Context(), c.wasm)
			require.ErrorIs(t, err, c.err)
			t.Log(err)
		})
	}
}

func TestStartFunctionTraps(t *testing.T) {
	m, err := newRuntime(t).Compile(t.Context(), badBoot.wasm())
	require.NoError(t, err)
	_, err = m.Instantiate(t.Context(), 1, 0)
	require.ErrorIs(t, err, sab.ErrInstantiate)
}

func TestLimits(t *testing.T) {
	rt := newRuntime(t)
	m, err := rt.Compile(t.Context(), sample{code: sleeps.code, minPages: 2, maxPages: 16}.wasm())
	require.NoError(t, err)
	_, err = m.Instantiate(t.Context(), 1, capsule.PageSize)
	require.ErrorIs(t, err, sab.ErrLimit)
	in, err := m.Instantiate(t.Context(), 1, 4*capsule.PageSize)
	require.NoError(t, err)
	n, err := in.Memory().Grow(3 * capsule.PageSize)
	require.NoError(t, err)
	require.EqualValues(t, 3*capsule.PageSize, n)
	n, err = in.Memory().Grow(1)
	require.NoError(t, err)
	require.EqualValues(t, 3*capsule.PageSize, n)
	_, err = in.Memory().Grow(5 * capsule.PageSize)
	require.ErrorIs(t, err, capsule.ErrNoMemory)
}

func TestMemoryBounds(t *testing.T) {
	in := start(t, newRuntime(t), sleeps)
	m := in.Memory()
	end := uint32(m.Len())
	require.EqualValues(t, capsule.PageSize, end)

	require.NoError(t, m.Store32(end-4, 0xFFFFFFFF))
	v, err := m.Load32(end - 4)
	require.NoError(t, err)
	require.EqualValues(t, 0xFFFFFFFF, v)
	require.NoError(t, m.Store64(end-8, 0x1122334455667788))
	v, _ = m.Load32(end - 4)
	require.EqualValues(t, 0x11223344, v)
	require.NoError(t, m.Read(end, nil))
	require.NoError(t, m.Write(end, nil))

	for name, op := range map[string]func() error{
		"load past":        func() error { _, err := m.Load32(end); return err },
		"load at 4 GiB":    func() error { _, err := m.Load32(0xFFFFFFFC); return err },
		"load unaligned":   func() error { _, err := m.Load32(2); return err },
		"store past":       func() error { return m.Store32(end, 1) },
		"store unaligned":  func() error { return m.Store32(1, 1) },
		"store64 past":     func() error { return m.Store64(end, 1) },
		"store64 aligned4": func() error { return m.Store64(4, 1) },
		"read past":        func() error { return m.Read(end-1, make([]byte, 2)) },
		"read at 4 GiB":    func() error { return m.Read(0xFFFFFFFF, make([]byte, 2)) },
		"write past":       func() error { return m.Write(end-100, make([]byte, 101)) },
		"empty past":       func() error { return m.Read(end+1, nil) },
		"notify past":      func() error { return m.Notify(end) },
	} {
		require.ErrorIs(t, op(), capsule.ErrOutOfBounds, name)
	}

	for _, n := range []int{1, 7, 8, 31, 32, 33, 4096, 32768} {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i*7 + n)
		}
		require.NoError(t, m.Write(end-uint32(n), want))
		got := make([]byte, n)
		require.NoError(t, m.Read(end-uint32(n), got))
		require.Equal(t, want, got)
	}
}

func TestCapsuleGrowsItsMemory(t *testing.T) {
	in := start(t, newRuntime(t), grows)
	<-in.Doorbell()
	v, err := in.Memory().Load32(capsule.PageSize)
	require.NoError(t, err)
	require.EqualValues(t, 0xC0FFEE, v)
	require.EqualValues(t, 2*capsule.PageSize, in.Memory().Len())
	n, err := in.Memory().Grow(16 * capsule.PageSize)
	require.NoError(t, err)
	require.EqualValues(t, 16*capsule.PageSize, n)
	require.NoError(t, in.Memory().Write(15*capsule.PageSize, []byte("there")))
}

// Go's own memory is replaced when it grows: copies must follow it.
func TestGoMemoryGrows(t *testing.T) {
	in := start(t, newRuntime(t), sleeps)
	require.NoError(t, in.Memory().Write(4096, []byte("before")))
	keep := make([][]byte, 0, 8)
	for range 8 {
		keep = append(keep, make([]byte, 16<<20))
	}
	last := keep[7][:40]
	require.NoError(t, in.Memory().Read(4096, last))
	require.Equal(t, "before", string(last[:6]))
}

func TestTimersSetByAWokenGoroutineFire(t *testing.T) {
	in := start(t, newRuntime(t), answers)
	fired := make(chan time.Time)
	go func() {
		<-in.Doorbell()
		fired <- <-time.After(3 * time.Millisecond)
	}()
	poke(t, in, 1)
	<-fired
}

// poke rings the capsule's command doorbell as a producer does.
func poke(t testing.TB, in capsule.Instance, n uint32) {
	require.NoError(t, in.Memory().Store32(in.Control()+capsule.OffCommandDoorbell, n))
	require.NoError(t, in.Memory().Notify(in.Control()+capsule.OffCommandDoorbell))
}

// A capsule that rings without end keeps neither the timers of the kernel nor
// another capsule from their turn.
func TestStormLeavesTheKernelAlive(t *testing.T) {
	rt := newRuntime(t)
	storm := start(t, rt, storms)
	go func() {
		for range storm.Doorbell() {
			select {
			case <-storm.Done():
				return
			default:
			}
		}
	}()
	other := start(t, rt, answers)
	for i := range uint32(5) {
		<-time.After(time.Millisecond)
		poke(t, other, i+1)
		<-other.Doorbell()
	}
	storm.Kill()
	<-storm.Done()
}

func TestManyAtOnce(t *testing.T) {
	const n = 32
	rt := newRuntime(t)
	m, err := rt.Compile(t.Context(), answers.wasm())
	require.NoError(t, err)
	var wg sync.WaitGroup
	all := make([]capsule.Instance, n)
	for i := range n {
		wg.Go(func() {
			in, err := m.Instantiate(t.Context(), uint32(i), 0)
			if err != nil {
				t.Error(err)
				return
			}
			all[i] = in
			poke(t, in, 1)
			<-in.Doorbell()
		})
	}
	wg.Wait()
	require.False(t, t.Failed())
	require.Equal(t, n, stats(t, "workers"))
	require.NoError(t, rt.Close())
	require.Zero(t, stats(t, "workers"))
	for _, in := range all {
		<-in.Done()
		require.ErrorIs(t, in.Err(), capsule.ErrKilled)
	}
	_, err = rt.Compile(t.Context(), answers.wasm())
	require.ErrorIs(t, err, sab.ErrClosed)
	_, err = m.Instantiate(t.Context(), 1, 0)
	require.ErrorIs(t, err, sab.ErrClosed)
}

func TestCancelledInstantiate(t *testing.T) {
	rt := newRuntime(t)
	m, err := rt.Compile(t.Context(), spins.wasm())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	_, err = m.Instantiate(ctx, 1, 0)
	require.ErrorIs(t, err, context.Canceled)
}

func TestWorkerScriptMissing(t *testing.T) {
	url := js.Global().Get("__workerURL")
	path := url.Get("pathname")
	url.Set("pathname", "/no-such-worker.js")
	defer url.Set("pathname", path)
	m, err := newRuntime(t).Compile(t.Context(), spins.wasm())
	require.NoError(t, err)
	_, err = m.Instantiate(t.Context(), 1, 0)
	require.ErrorIs(t, err, sab.ErrWorker)
	t.Log(err)
}

// The second capsule starts on a Worker that was ready before; Close ends the one
// that is ready then.
func TestSpareWorker(t *testing.T) {
	spares := func(n int) {
		require.Eventually(t, func() bool { return stats(t, "spares") == n }, time.Minute, time.Millisecond)
	}
	rt, used := newRuntime(t), stats(t, "sparesUsed")
	require.Zero(t, stats(t, "spares"))
	start(t, rt, stops)
	spares(1)
	require.Equal(t, used, stats(t, "sparesUsed"))
	in := start(t, rt, stops)
	<-in.Done()
	require.NoError(t, in.Err())
	require.Equal(t, used+1, stats(t, "sparesUsed"))
	spares(1)
	require.NoError(t, rt.Close())
	require.Zero(t, stats(t, "spares"))

	none := sab.New(sab.Config{NoSpare: true})
	start(t, none, stops)
	require.NoError(t, none.Close())
	require.Equal(t, used+1, stats(t, "sparesUsed"))
	require.Zero(t, stats(t, "spares"))
}

func TestWithoutWaitAsync(t *testing.T) {
	atomics := js.Global().Get("Atomics")
	had := atomics.Get("waitAsync")
	atomics.Delete("waitAsync")
	defer atomics.Set("waitAsync", had)
	_, err := newRuntime(t).Compile(t.Context(), sample{code: spins.code, minPages: 1, maxPages: 3}.wasm())
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

// The same bytes are compiled once, however many ask.
func TestCompileOnce(t *testing.T) {
	rt := newRuntime(t)
	before := stats(t, "modules")
	wasm := sample{code: sleeps.code, minPages: 3, maxPages: 5}.wasm()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := rt.Compile(t.Context(), wasm); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, before+1, stats(t, "modules"))
}

func BenchmarkRoundTrip(b *testing.B) {
	in := start(b, newRuntime(b), answers)
	n := uint32(0)
	for b.Loop() {
		n++
		poke(b, in, n)
		<-in.Doorbell()
	}
}

func BenchmarkLoad32(b *testing.B) {
	m := start(b, newRuntime(b), sleeps).Memory()
	for b.Loop() {
		_, _ = m.Load32(at)
	}
}

func BenchmarkRead256(b *testing.B) {
	m := start(b, newRuntime(b), sleeps).Memory()
	p := make([]byte, 256)
	for b.Loop() {
		_ = m.Read(4096, p)
	}
}

// What a browser would compile for long is refused by its length.
func TestLongModulesAreRefused(t *testing.T) {
	rt := newRuntime(t)
	padded := func(n int) []byte { // by a custom section
		name := append(binary.AppendUvarint([]byte{0}, uint64(n)), 1, 'x')
		return slices.Concat(stops.wasm(), name, make([]byte, n-2))
	}
	_, err := rt.Compile(t.Context(), padded(sab.MaxModule))
	require.ErrorIs(t, err, capsule.ErrCompile)
	require.ErrorContains(t, err, "33554432 at most")
	e := fault.Find(err)
	require.Equal(t, "capsule_not_compiled", e.Code())
	require.False(t, e.Retryable())
	_, err = rt.Compile(t.Context(), padded(1<<20))
	require.NoError(t, err)
	require.Equal(t, 1, stats(t, "modules"))
}
