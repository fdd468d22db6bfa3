package wazero_test

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/capsule/hostile"
	"inos/internal/capsule/wazero"
	"inos/internal/testkit/capsules"
)

// variant is wasm with one type more, so that it is another module with code of its
// own: custom sections make no difference to that. The first section is the types'.
func variant(wasm []byte, n int) []byte {
	const header = 8
	length, a := binary.Uvarint(wasm[header+1:])
	count, b := binary.Uvarint(wasm[header+1+a:])
	types := wasm[header+1+a+b:][:int(length)-b]
	body := slices.Concat(binary.AppendUvarint(nil, count+1), types, []byte{0x60, 32})
	for bit := range 32 {
		body = append(body, 0x7f-byte(n>>bit&1)) // i32 or i64
	}
	body = append(body, 0)
	return slices.Concat(wasm[:header], []byte{1}, binary.AppendUvarint(nil, uint64(len(body))), body, wasm[header+1+a+int(length):])
}

// A Runtime keeps as many modules as it is told; the code of all others goes.
func TestModulesAreBounded(t *testing.T) {
	if code() == 0 {
		t.Skip("this system does not say what is mapped")
	}
	const kept, variants = 2, 40
	rt, err := wazero.New(wazero.Config{Modules: kept})
	require.NoError(t, err)
	hash := capsules.Built(t, "hash")
	held := compile(t, rt, hash)
	before := code()
	compile(t, rt, variant(hash, -1))
	one := code() - before
	require.Positive(t, one)
	for n := range variants {
		compile(t, rt, variant(hash, n))
	}
	require.Eventually(t, func() bool {
		runtime.GC()
		return code() < before+(kept+4)*one
	}, time.Minute, 10*time.Millisecond, "%d modules of %d bytes", variants, one)
	// Whoever holds one may go on using it, and it is none that was compiled again.
	in, err := held.Instantiate(t.Context(), 1, 0)
	require.NoError(t, err)
	again, err := compile(t, rt, hash).Instantiate(t.Context(), 1, 0)
	require.NoError(t, err)
	runtime.GC()
	for _, in := range []capsule.Instance{in, again} {
		in.Kill()
		<-in.Done()
		require.ErrorIs(t, in.Err(), capsule.ErrKilled)
	}
	require.NoError(t, rt.Close())
}

// The one used last is kept.
func TestTheModuleUsedLastIsKept(t *testing.T) {
	rt, err := wazero.New(wazero.Config{Modules: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close()) }()
	wasm := func(n int) []byte { return variant(handmade(hostile.Healthy(nil), forever...), n) }
	first := compile(t, rt, wasm(0))
	second := compile(t, rt, wasm(1))
	require.Same(t, first, compile(t, rt, wasm(0)))
	compile(t, rt, wasm(2)) // in place of the second
	require.Same(t, first, compile(t, rt, wasm(0)))
	require.NotSame(t, second, compile(t, rt, wasm(1)))
}
