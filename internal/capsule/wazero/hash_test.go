package wazero_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/blake3"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/wire"
)

// built reads a capsule that scripts/build-capsules.sh has built.
func built(t testing.TB, name string) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join("..", "..", "..", "build", "capsules", name+".wasm"))
	require.NoError(t, err, "build the capsules first: make capsules (or scripts/build-capsules.sh)")
	return wasm
}

func newRuntime(t testing.TB) *wazero.Runtime {
	t.Helper()
	rt, err := wazero.New(wazero.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	return rt
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
	c, err := capsule.Open(t.Context(), mod, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Kill("end of the test")
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
	c := open(t, compile(t, newRuntime(t), built(t, "hash")), capsule.Config{})
	for _, n := range []int{0, 1, 7, 8, 63, 64, 65, 1023, 1024, 1025, 4096, 100_000, 1 << 20, 1<<20 + 1, 64 << 20} {
		input := random(n)
		start := time.Now()
		out, err := c.Run(t.Context(), capsule.Task{Method: "both", Input: input}, nil)
		require.NoError(t, err, "%d bytes", n)
		require.Equal(t, hashed(input), string(out), "%d bytes", n)
		t.Logf("%d bytes in %s", n, time.Since(start))
	}
}

func TestSpawnTime(t *testing.T) {
	mod := compile(t, newRuntime(t), built(t, "hash"))
	for range 5 {
		start := time.Now()
		c, err := capsule.Open(context.Background(), mod, capsule.Config{Codec: wire.Capsules{}})
		require.NoError(t, err)
		t.Log(time.Since(start))
		c.Kill("")
		<-c.Done()
	}
}
