//go:build js && browser

package sab_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall/js"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/blake3"

	"inos/internal/capsule"
	"inos/internal/capsule/sab"
	"inos/internal/jsinterop"
	"inos/internal/wire"
)

// built is a capsule of capsules/, which the harness has put on the global object.
func built(name string) []byte {
	wasm, _ := jsinterop.Bytes(js.Global().Get("__capsules").Get(name))
	return wasm
}

func hashModule(t testing.TB, rt *sab.Runtime) capsule.Module {
	t.Helper()
	m, err := rt.Compile(t.Context(), built("hash"))
	require.NoError(t, err)
	return m
}

func open(t testing.TB, m capsule.Module, cfg capsule.Config) *capsule.Capsule {
	t.Helper()
	cfg.Codec = wire.Capsules{}
	if cfg.ID == "" {
		cfg.ID = t.Name()
	}
	c, err := capsule.Open(t.Context(), m, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Kill(errors.New("end of the test"))
		<-c.Done()
	})
	return c
}

// hashed computes independently what the capsule returns.
func hashed(input []byte) string {
	return fmt.Sprintf("sha256 %x\nblake3 %x\n", sha256.Sum256(input), blake3.Sum256(input))
}

func random(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(p)
	return p
}

func TestHash(t *testing.T) {
	c := open(t, hashModule(t, newRuntime(t)), capsule.Config{})
	for _, n := range []int{0, 1, 7, 8, 63, 64, 65, 1025, 100_000, 1 << 20, 1<<20 + 1, 16 << 20} {
		input := random(n)
		began := time.Now()
		out, err := c.Run(t.Context(), capsule.Task{Method: "both", Input: input}, nil)
		took := time.Since(began)
		require.NoError(t, err, "%d bytes", n)
		require.Equal(t, hashed(input), string(out), "%d bytes", n)
		t.Logf("%d bytes in %v", n, took)
	}
	require.EqualValues(t, 1, c.Epoch())
}

func TestHashCapsuleKilledMidJob(t *testing.T) {
	c := open(t, hashModule(t, newRuntime(t)), capsule.Config{})
	running := make(chan struct{})
	var once sync.Once
	failed := make(chan error)
	go func() {
		_, err := c.Run(t.Context(), capsule.Task{Method: "both", Input: make([]byte, 64<<20)}, func(capsule.Progress) {
			once.Do(func() { close(running) })
		})
		failed <- err
	}()
	<-running
	began := time.Now()
	c.Kill(errors.New("enough"))
	err := <-failed
	require.ErrorIs(t, err, capsule.ErrKilled)
	require.ErrorContains(t, err, "enough")
	<-c.Done()
	t.Logf("gone after %v", time.Since(began))
	_, err = c.Run(t.Context(), capsule.Task{Method: "both"}, nil)
	require.ErrorIs(t, err, capsule.ErrKilled)
}

func TestHashCapsuleCommands(t *testing.T) {
	beats := make(chan capsule.Heartbeat, 64)
	c := open(t, hashModule(t, newRuntime(t)), capsule.Config{MemoryLimit: 8 << 20, Heartbeat: 10 * time.Millisecond,
		OnHeartbeat: func(h capsule.Heartbeat) {
			select {
			case beats <- h:
			default:
			}
		}})
	command := func(cmd capsule.Command) capsule.Reply {
		cmd.ID = t.Name() + cmd.Type.String()
		r, err := c.Command(t.Context(), cmd)
		require.NoError(t, err)
		require.Equal(t, cmd.ID, r.ID)
		return r
	}
	require.Equal(t, capsule.OK, command(capsule.Command{Type: capsule.Pause}).Code)
	for h := range beats {
		if h.Paused {
			break
		}
	}
	require.Equal(t, capsule.OK, command(capsule.Command{Type: capsule.Resume}).Code)

	r := command(capsule.Command{Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: 4 << 20}})
	require.Equal(t, capsule.OK, r.Code, r.Message)
	require.EqualValues(t, 4<<20, r.MemoryBytes)
	require.EqualValues(t, 2, r.MemoryEpoch)
	for h := range beats {
		if h.MemoryEpoch == 2 {
			break
		}
	}
	r = command(capsule.Command{Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: 9 << 20}})
	require.Equal(t, capsule.Limit, r.Code)

	input := random(3 << 20)
	out, err := c.Run(t.Context(), capsule.Task{Method: "both", Input: input}, nil)
	require.NoError(t, err)
	require.Equal(t, hashed(input), string(out))
	_, err = c.Run(t.Context(), capsule.Task{Method: "both", Input: make([]byte, 16<<20)}, nil)
	require.ErrorIs(t, err, capsule.ErrRunNoMemory)
	_, err = c.Run(t.Context(), capsule.Task{Method: "md5"}, nil)
	require.ErrorIs(t, err, capsule.ErrUnknownMethod)

	require.Equal(t, capsule.OK, command(capsule.Command{Type: capsule.Kill}).Code)
	<-c.Done()
}

// Thirty-two instances of one module, each with a job of its own.
func TestManyHashCapsules(t *testing.T) {
	const n = 32
	rt := newRuntime(t)
	m := hashModule(t, rt)
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			c, err := capsule.Open(t.Context(), m, capsule.Config{ID: fmt.Sprint(i), Codec: wire.Capsules{}, MemoryLimit: 16 << 20,
				ReadyTimeout: time.Minute})
			if err != nil {
				errs[i] = err
				return
			}
			input := random(10_000 + i)
			out, err := c.Run(t.Context(), capsule.Task{Method: "both", Input: input}, nil)
			if err == nil && string(out) != hashed(input) {
				err = errors.New("wrong digest")
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i, err := range errs {
		require.NoError(t, err, "capsule %d", i)
	}
	require.Equal(t, n, stats(t, "workers"))
	require.NoError(t, rt.Close())
	require.Zero(t, stats(t, "workers"))
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	block := func(off int, v uint32) []byte { return slices.Concat(i32c(uint32(at+off)), i32c(v), atomicStore) }
	says := func(version uint32, rest ...[]byte) sample {
		return sample{code: slices.Concat(block(capsule.OffMagic, capsule.ControlMagic), block(capsule.OffABIVersion, version),
			slices.Concat(rest...), block(capsule.OffState, capsule.StateRunning), ring, sleeps.code)}
	}
	for _, c := range []struct {
		name string
		sample
		err error
	}{
		{"panics", panics, capsule.ErrPanicked},
		{"traps", traps, capsule.ErrTrap},
		{"stops", stops, capsule.ErrNoControlBlock},
		{"another ABI", says(99), capsule.ErrABIVersion},
		{"no rings", says(capsule.ABIVersion), capsule.ErrNoControlBlock},
		{"silent", spins, capsule.ErrNotReady},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := newRuntime(t).Compile(t.Context(), c.wasm())
			require.NoError(t, err)
			cfg := capsule.Config{ID: "x", Codec: wire.Capsules{}}
			if c.err == capsule.ErrNotReady {
				cfg.ReadyTimeout = 300 * time.Millisecond
			}
			_, err = capsule.Open(t.Context(), m, cfg)
			require.ErrorIs(t, err, c.err)
			t.Log(err)
		})
	}
}

func BenchmarkEmptyRun(b *testing.B) {
	c := open(b, hashModule(b, newRuntime(b)), capsule.Config{})
	for b.Loop() {
		if _, err := c.Run(b.Context(), capsule.Task{Method: "sha256"}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	m := hashModule(b, newRuntime(b))
	for b.Loop() {
		c, err := capsule.Open(b.Context(), m, capsule.Config{ID: "x", Codec: wire.Capsules{}})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		c.Kill(errors.New("done"))
		<-c.Done()
		b.StartTimer()
	}
}
