package wazero_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"inos/internal/capsule/instrument"
	"inos/internal/testkit/capsules"
	"inos/internal/testkit/wasmenc"
)

// bulk is a module of 40 pages with fill(to, value, n), copy(to, from, n), and
// double(n), which calls itself twice for each n and then does nothing.
func bulk() []byte {
	function := func(code ...byte) []byte { return wasmenc.Sized(code) }
	export := func(name string, kind, i byte) []byte { return append(wasmenc.Name(name), kind, i) }
	return wasmenc.Module(
		wasmenc.Section(1, []byte{2, 0x60, 3, 0x7f, 0x7f, 0x7f, 0, 0x60, 1, 0x7f, 0}),
		wasmenc.Section(3, []byte{3, 0, 0, 1}),
		wasmenc.Section(5, []byte{1, 1, 40, 40}),
		wasmenc.Section(7, []byte{4}, export("memory", 2, 0), export("fill", 0, 0), export("copy", 0, 1), export("double", 0, 2)),
		wasmenc.Section(10, []byte{3},
			function(0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 11, 0, 0x0b),
			function(0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 10, 0, 0, 0x0b),
			function(0, 0x20, 0, 0x04, 0x40, // if n
				0x20, 0, 0x41, 1, 0x6b, 0x10, 2,
				0x20, 0, 0x41, 1, 0x6b, 0x10, 2,
				0x0b, 0x0b)))
}

// instantiated is the module beside its instrumented form; interrupted is called by the
// latter.
func instantiated(t *testing.T, wasm []byte, interrupted func(context.Context)) (original, instrumented api.Module) {
	ctx := t.Context()
	rt := wazero.NewRuntime(ctx)
	t.Cleanup(func() { require.NoError(t, rt.Close(context.WithoutCancel(ctx))) })
	_, err := rt.NewHostModuleBuilder(instrument.ImportModule).
		NewFunctionBuilder().WithFunc(interrupted).Export(instrument.ImportName).Instantiate(ctx)
	require.NoError(t, err)
	original, err = rt.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithName("original"))
	require.NoError(t, err)
	out, err := instrument.Rewrite(wasm)
	require.NoError(t, err)
	instrumented, err = rt.InstantiateWithConfig(ctx, out, wazero.NewModuleConfig().WithName("instrumented"))
	require.NoError(t, err)
	return original, instrumented
}

// memory.fill and memory.copy in pieces do what they do at once, and trap before they
// write anything, too.
func TestBulkOperationsInPieces(t *testing.T) {
	original, instrumented := instantiated(t, bulk(), func(context.Context) {})
	const pages = 40 << 16
	start := random(pages)
	lengths := []uint64{0, 1, 63, instrument.ChunkBytes - 1, instrument.ChunkBytes, instrument.ChunkBytes + 1,
		3 * instrument.ChunkBytes, 5*instrument.ChunkBytes + 77, pages, pages + 1, 1<<32 - 1}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	traps := 0
	for i := range 400 {
		n := lengths[rng.IntN(len(lengths))]
		to, from := uint64(rng.IntN(pages+2)), uint64(rng.IntN(pages+2))
		switch rng.IntN(4) {
		case 0: // overlapping, and ending exactly at the end
			to = max(pages, n) - n
			from = uint64(max(0, int64(to)-int64(rng.IntN(1000))))
		case 1:
			from = max(pages, n) - n
			to = uint64(max(0, int64(from)-int64(rng.IntN(1000))))
		}
		name := []string{"fill", "copy"}[rng.IntN(2)]
		var trapped [2]bool
		var after [2][]byte
		for j, m := range []api.Module{original, instrumented} {
			require.True(t, m.Memory().Write(0, start))
			_, err := m.ExportedFunction(name).Call(t.Context(), to, from, n)
			trapped[j] = err != nil
			after[j], _ = m.Memory().Read(0, pages)
		}
		if trapped[0] {
			traps++
		}
		require.Equal(t, trapped[0], trapped[1], "seed %d: %d: %s(%d, %d, %d)", seed, i, name, to, from, n)
		require.True(t, slices.Equal(after[0], after[1]), "seed %d: %d: %s(%d, %d, %d)", seed, i, name, to, from, n)
	}
	require.Positive(t, traps)
	require.Less(t, traps, 400)
}

// Code without a loop calls its host as often as code with one.
func TestInterruptionsWithoutALoop(t *testing.T) {
	var calls int
	_, instrumented := instantiated(t, bulk(), func(context.Context) { calls++ })
	call := func(name string, args ...uint64) int {
		calls = 0
		_, err := instrumented.ExportedFunction(name).Call(t.Context(), args...)
		require.NoError(t, err)
		return calls
	}
	const deep = 16
	bodyBytes := 16 // of double, at least
	require.Greater(t, call("double", deep), (1<<deep)*bodyBytes/instrument.Quantum)
	call("double", 0)
	for range 3 { // short operations add up, too
		n := 0
		for range 100 {
			n += call("fill", 0, 0, instrument.ChunkBytes)
		}
		require.Greater(t, n, 10)
	}
	require.Greater(t, call("fill", 0, 0, 40<<16), 0)
}

// Go's garbage collector stops every thread; compiled code it can only wait for. This
// would wait for 2^62 calls.
func TestGarbageIsCollectedBesideAnyCode(t *testing.T) {
	mod := compile(t, sharedRuntime(t), capsules.Built(t, "hostile/doubling"))
	in, err := mod.Instantiate(t.Context(), 1, 0)
	require.NoError(t, err)
	for range 10 {
		runtime.GC()
	}
	in.Kill()
	<-in.Done()
}
