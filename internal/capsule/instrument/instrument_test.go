package instrument

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/testkit/wasmenc"
)

func sec(id byte, b ...byte) []byte { return wasmenc.Section(id, b) }
func join(parts ...[]byte) []byte   { return slices.Concat(parts...) }

// small is a module of two functions, one global, one local and one type; body is the
// second function's code, without its end.
func small(body ...byte) []byte {
	function := func(locals, code []byte) []byte { return wasmenc.Sized(locals, code, []byte{opEnd}) }
	return join(header,
		sec(types, 1, typeFunc, 0, 0),
		sec(functions, 2, 0, 0),
		sec(memories, 1, 0, 1),
		sec(globals, 1, typeI32, 1, opI32Const, 0, opEnd),
		sec(code, join([]byte{2}, function([]byte{0}, nil), function([]byte{1, 1, typeI32}, body))...),
		sec(data, 1, 1, 2, 'o', 'k'),
	)
}

// What a module cannot name in the original it cannot name afterwards.
func TestWhatIsAddedCannotBeNamed(t *testing.T) {
	for _, c := range []struct {
		what string
		good []byte
		bad  []byte
	}{
		{"a function", []byte{opCall, 1}, []byte{opCall, 2}},
		{"a function's reference", []byte{opRefFunc, 1, 0x1a}, []byte{opRefFunc, 2, 0x1a}},
		{"a global", []byte{opGlobalGet, 0, 0x1a}, []byte{opGlobalGet, 1, 0x1a}},
		{"a global to set", []byte{opI32Const, 0, opGlobalSet, 0}, []byte{opI32Const, 0, opGlobalSet, 1}},
		{"a local", []byte{opLocalGet, 0, 0x1a}, []byte{opLocalGet, 1, 0x1a}},
		{"a block's type", []byte{opBlock, 0, opEnd}, []byte{opBlock, 1, opEnd}},
		{"an indirect call's type", []byte{opI32Const, 0, opCallIndirect, 0, 0}, []byte{opI32Const, 0, opCallIndirect, 1, 0}},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := Rewrite(small(c.good...))
			require.NoError(t, err)
			_, err = Rewrite(small(c.bad...))
			require.ErrorIs(t, err, ErrModule)
		})
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	whole := small(opLoop, emptyBlock, opEnd)
	_, err := Rewrite(whole)
	require.NoError(t, err)
	for n := range whole {
		if _, err := Rewrite(whole[:n]); err != nil {
			require.ErrorIs(t, err, ErrModule)
		}
	}
	for name, body := range map[string][]byte{
		"unknown instruction":       {0x06, emptyBlock},
		"unknown of prefix fc":      {opMisc, 18},
		"unknown of prefix fd":      {opSIMD, 0x80, 0x02},
		"unknown of prefix fe":      {opAtomic, 0x4f, 2, 0},
		"a second memory":           {opMemorySize, 1, 0x1a},
		"a number of six bytes":     {opI32Const, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x1a},
		"an end too many":           {opEnd},
		"an end too few":            {opBlock, emptyBlock},
		"a data segment not there":  {opMisc, miscMemoryInit, 1, 0},
		"blocks without end within": slices.Repeat([]byte{opBlock, emptyBlock}, MaxDepth+1),
	} {
		_, err := Rewrite(small(body...))
		require.ErrorIs(t, err, ErrModule, name)
	}
}

func TestLocalsAreBounded(t *testing.T) {
	with := func(n int) []byte {
		return join(header, sec(types, 1, typeFunc, 0, 0), sec(functions, 1, 0),
			sec(code, join([]byte{1}, wasmenc.Sized([]byte{1}, wasmenc.LEB(n), []byte{typeI32, opEnd}))...))
	}
	_, err := Rewrite(with(MaxLocals))
	require.NoError(t, err)
	for _, n := range []int{MaxLocals + 1, 270_000_000, 1<<32 - 1} {
		_, err := Rewrite(with(n))
		require.ErrorIs(t, err, ErrModule)
		require.ErrorContains(t, err, "the most is 50000")
	}
}

func TestTablesAreBounded(t *testing.T) {
	with := func(limits ...byte) []byte { return join(header, sec(tables, join([]byte{1, 0x70}, limits)...)) }
	out, err := Rewrite(with(0, 3))
	require.NoError(t, err)
	require.Contains(t, string(out), string(join([]byte{1, 0x70, 1, 3}, wasmenc.LEB(MaxTable))), "a table without a maximum gets one")
	out, err = Rewrite(with(1, 3, 5))
	require.NoError(t, err)
	require.Contains(t, string(out), "\x01\x70\x01\x03\x05")
	_, err = Rewrite(with(join([]byte{0}, wasmenc.LEB(MaxTable+1))...))
	require.ErrorIs(t, err, ErrModule)
}

// capsules are the ones built here, and the handmade ones.
func capsules(t testing.TB) (all [][]byte) {
	files, err := filepath.Glob("../../../build/capsules/*.wasm")
	require.NoError(t, err)
	for _, file := range files {
		wasm, err := os.ReadFile(file)
		require.NoError(t, err)
		all = append(all, wasm)
	}
	require.NotEmpty(t, all, "no capsules are built: make capsules")
	return all
}

func TestSizeIsBounded(t *testing.T) {
	for _, wasm := range capsules(t) {
		before := slices.Clone(wasm)
		out, err := Rewrite(wasm)
		require.NoError(t, err)
		require.Equal(t, before, wasm, "the original is as it was")
		require.Less(t, len(out), 2*len(wasm)+1024)
	}
}

// Whatever the bytes: no panic, and an output that the rewriter reads itself.
func FuzzRewrite(f *testing.F) {
	f.Add(small())
	f.Add(small(opLoop, emptyBlock, opI32Const, 0, opI32Const, 0, opI32Const, 0, opMisc, miscMemoryFill, 0, opBr, 0, opEnd))
	f.Add(small(opI32Const, 0, opI32Const, 0, opI32Const, 0, opMisc, miscMemoryInit, 0, 0))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		out, err := Rewrite(wasm)
		if err != nil {
			require.ErrorIs(t, err, ErrModule)
			return
		}
		require.LessOrEqual(t, len(out), 40*len(wasm)+1024)
		_, err = Rewrite(out)
		require.NoError(t, err)
	})
}
