package wazero_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/blake3"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

// shared compiles each capsule once for all tests.
var shared = sync.OnceValues(func() (*wazero.Runtime, error) { return wazero.New(wazero.Config{}) })

func sharedRuntime(t testing.TB) *wazero.Runtime {
	t.Helper()
	rt, err := shared()
	require.NoError(t, err)
	return rt
}

// compileArg makes the tests' program a compiling process.
const compileArg = "compile"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compileArg {
		os.Exit(wazero.CompileProcess(os.Args[2:], os.Stdin, os.Stderr))
	}
	code := m.Run()
	rt, err := shared()
	if err == nil {
		err = rt.Close()
	}
	if err == nil && len(leaked(nil)) > 0 {
		err = fmt.Errorf("goroutines are left: %s", leaked(nil))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func compile(t testing.TB, rt *wazero.Runtime, wasm []byte) capsule.Module {
	t.Helper()
	mod, err := rt.Compile(t.Context(), wasm)
	require.NoError(t, err)
	return mod
}

func open(t testing.TB, mod capsule.Module, cfg capsule.Config) *capsule.Capsule {
	t.Helper()
	cfg.Codec = wire.Capsules{}
	if cfg.ID == "" {
		cfg.ID = t.Name()
	}
	// A busy machine is not what is tested.
	if cfg.ReadyTimeout == 0 {
		cfg.ReadyTimeout = time.Minute
	}
	if cfg.CommandTimeout == 0 {
		cfg.CommandTimeout = time.Minute
	}
	c, err := capsule.Open(t.Context(), mod, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Kill(errors.New("end of the test"))
		<-c.Done()
	})
	return c
}

// hashed computes independently what the capsule hash returns.
func hashed(input []byte) string {
	return fmt.Sprintf("sha256 %x\nblake3 %x\n", sha256.Sum256(input), blake3.Sum256(input))
}

func random(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(p)
	return p
}

func TestHashAgreesWithIndependentImplementations(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "hash")), capsule.Config{})
	for _, n := range []int{0, 1, 7, 8, 63, 64, 65, 1023, 1024, 1025, 4096, 100_000, 1 << 20, 1<<20 + 1, 64 << 20} {
		input := random(n)
		out, err := c.Run(t.Context(), capsule.Task{Method: "both", Input: input}, nil)
		require.NoError(t, err, "%d bytes", n)
		require.Equal(t, hashed(input), string(out), "%d bytes", n)
	}
}

func BenchmarkSpawnToFirstHeartbeat(b *testing.B) {
	mod := compile(b, sharedRuntime(b), capsules.Built(b, "hash"))
	for b.Loop() {
		c, err := capsule.Open(context.Background(), mod, capsule.Config{Codec: wire.Capsules{}})
		require.NoError(b, err)
		b.StopTimer()
		c.Kill(nil)
		<-c.Done()
		b.StartTimer()
	}
}

func BenchmarkCommandRoundTrip(b *testing.B) {
	c := open(b, compile(b, sharedRuntime(b), capsules.Built(b, "hash")), capsule.Config{})
	for b.Loop() {
		reply, err := c.Command(b.Context(), capsule.Command{Type: capsule.Resume})
		require.NoError(b, err)
		require.Equal(b, capsule.OK, reply.Code)
	}
}

func BenchmarkHash(b *testing.B) {
	c := open(b, compile(b, sharedRuntime(b), capsules.Built(b, "hash")), capsule.Config{})
	input := random(16 << 20)
	for _, method := range []string{"sha256", "blake3"} {
		b.Run(method, func(b *testing.B) {
			b.SetBytes(int64(len(input)))
			for b.Loop() {
				_, err := c.Run(b.Context(), capsule.Task{Method: method, Input: input}, nil)
				require.NoError(b, err)
			}
		})
	}
}
