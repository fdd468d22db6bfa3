package capsule_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

func leb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func text(s string) []byte { return append(leb(len(s)), s...) }

func section(id byte, body ...[]byte) []byte {
	b := slices.Concat(body...)
	return slices.Concat([]byte{id}, leb(len(b)), b)
}

func imported(module, field string, desc ...byte) []byte {
	return slices.Concat(text(module), text(field), desc)
}

func exported(name string, kind byte) []byte { return append(text(name), kind, 0) }

func vec(items ...[]byte) []byte { return append(leb(len(items)), slices.Concat(items...)...) }

func wasm(sections ...[]byte) []byte {
	return append([]byte("\x00asm\x01\x00\x00\x00"), slices.Concat(sections...)...)
}

var (
	sharedMemory = imported("env", "memory", 2, 3, 17, 0x80, 0x80, 1) // 17 to 16384 pages
	exports      = vec(exported("inos_control", 3), exported("inos_run", 0))
	abi          = func(v byte) []byte { return section(0, text("inos.abi"), []byte{v, 0, 0, 0}) }
)

func TestInspectReadsACapsule(t *testing.T) {
	module := wasm(section(2, vec(sharedMemory)), section(7, exports), abi(byte(capsule.ABIVersion)))
	info, err := capsule.Inspect(module)
	require.NoError(t, err)
	require.Equal(t, capsule.ModuleInfo{
		CID: capsule.SumCID(module), Size: uint64(len(module)), MinPages: 17, MaxPages: 16384, ABIVersion: capsule.ABIVersion,
	}, info)
	info, err = capsule.Inspect(wasm(section(2, vec(sharedMemory)), section(7, exports)))
	require.NoError(t, err)
	require.Zero(t, info.ABIVersion)
}

func TestInspectNamesWhatIsWrong(t *testing.T) {
	good := section(2, vec(sharedMemory))
	for _, c := range []struct {
		name string
		wasm []byte
		is   error
		says string
	}{
		{"nothing", nil, capsule.ErrNotWasm, ""},
		{"text", []byte("<!doctype html>"), capsule.ErrNotWasm, "3c 21 64"},
		{"a component", []byte("\x00asm\x0d\x00\x01\x00"), capsule.ErrNotWasm, "0d 00 01 00"},
		{"cut short", wasm(good, section(7, exports))[:30], capsule.ErrNotWasm, "at byte"},
		{"section too long", wasm([]byte{2, 0xff, 0xff, 0xff, 0xff, 0x0f}), capsule.ErrNotWasm, "4294967295 bytes"},
		{"number too long", wasm([]byte{2, 0xff, 0xff, 0xff, 0xff, 0x1f}), capsule.ErrNotWasm, "32 bits"},
		{"too many names", wasm(section(2, leb(1<<30))), capsule.ErrNotWasm, "1073741824 entries"},
		{"long name", wasm(section(7, vec(text(string(make([]byte, 2000)))))), capsule.ErrNotWasm, "name of 2000 bytes"},
		{"odd import kind", wasm(section(2, vec(imported("a", "b", 9)))), capsule.ErrNotWasm, "kind 9"},
		{"a function", wasm(section(2, vec(sharedMemory, imported("wasi", "exit", 0, 0)))), capsule.ErrUnknownImport, `function "wasi"."exit"`},
		{"a table", wasm(section(2, vec(imported("env", "t", 1, 0x70, 0, 1), sharedMemory))), capsule.ErrUnknownImport, `table "env"."t"`},
		{"a global", wasm(section(2, vec(imported("env", "g", 3, 0x7f, 0)))), capsule.ErrUnknownImport, `global "env"."g"`},
		{"a tag", wasm(section(2, vec(imported("env", "e", 4, 0, 0)))), capsule.ErrUnknownImport, `tag "env"."e"`},
		{"a second memory", wasm(section(2, vec(sharedMemory, sharedMemory))), capsule.ErrUnknownImport, `memory "env"."memory"`},
		{"memory of another name", wasm(section(2, vec(imported("env", "mem", 2, 3, 1, 1)))), capsule.ErrUnknownImport, `memory "env"."mem"`},
		{"env.memory a function", wasm(section(2, vec(imported("env", "memory", 0, 0)))), capsule.ErrUnknownImport, "function"},
		{"no memory", wasm(section(7, exports)), capsule.ErrNoSharedMemory, "no import"},
		{"own memory", wasm(section(5, vec([]byte{0, 1})), section(7, exports)), capsule.ErrNoSharedMemory, "of its own"},
		{"not shared", wasm(section(2, vec(imported("env", "memory", 2, 1, 1, 2)))), capsule.ErrNoSharedMemory, "not shared"},
		{"64-bit", wasm(section(2, vec(imported("env", "memory", 2, 7, 1, 2)))), capsule.ErrNoSharedMemory, "0x7"},
		{"no maximum", wasm(section(2, vec(imported("env", "memory", 2, 2, 1)))), capsule.ErrNoSharedMemory, "1 to 0 pages"},
		{"max below min", wasm(section(2, vec(imported("env", "memory", 2, 3, 2, 1)))), capsule.ErrNoSharedMemory, "2 to 1 pages"},
		{"max too large", wasm(section(2, vec(imported("env", "memory", 2, 3, 1, 0x81, 0x80, 4)))), capsule.ErrNoSharedMemory, "65537 pages"},
		{"no control block", wasm(good, section(7, vec(exported("inos_run", 0)))), capsule.ErrNoControlBlock, "no export inos_control"},
		{"control a function", wasm(good, section(7, vec(exported("inos_control", 0), exported("inos_run", 0)))), capsule.ErrNoControlBlock, "is a function"},
		{"no run", wasm(good, section(7, vec(exported("inos_control", 3)))), capsule.ErrNoRun, ""},
		{"run a global", wasm(good, section(7, vec(exported("inos_control", 3), exported("inos_run", 3)))), capsule.ErrNoRun, "it is a global"},
		{"another ABI", wasm(good, section(7, exports), abi(9)), capsule.ErrABIVersion, "speaks 9, this host 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			info, err := capsule.Inspect(c.wasm)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.says)
			require.Zero(t, info)
		})
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(wasm(section(2, vec(sharedMemory)), section(7, exports), abi(byte(capsule.ABIVersion))))
	f.Add(wasm(section(2, vec(imported("env", "t", 1, 0x70, 0, 1), imported("env", "g", 3, 0x7f, 0)))))
	f.Add(wasm([]byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f}))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := capsule.Inspect(b)
		if err == nil && (info.MaxPages < info.MinPages || info.Size != uint64(len(b))) {
			t.Fatalf("%+v", info)
		}
	})
}
