package capsule_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/wasmenc"
)

func imported(module, field string, desc ...byte) []byte {
	return slices.Concat(wasmenc.Name(module), wasmenc.Name(field), desc)
}

func exported(name string, kind byte) []byte { return append(wasmenc.Name(name), kind, 0) }

var (
	sharedMemory = imported("env", "memory", 2, 3, 17, 0x80, 0x80, 1) // 17 to 16384 pages
	exports      = wasmenc.Vector(exported("inos_control", 3), exported("inos_run", 0))
	abi          = func(v byte) []byte { return wasmenc.Section(0, wasmenc.Name("inos.abi"), []byte{v, 0, 0, 0}) }
)

func TestInspectReadsACapsule(t *testing.T) {
	module := wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(sharedMemory)), wasmenc.Section(7, exports), abi(byte(capsule.ABIVersion)))
	info, err := capsule.Inspect(module)
	require.NoError(t, err)
	require.Equal(t, capsule.ModuleInfo{
		CID: capsule.SumCID(module), Size: uint64(len(module)), MinPages: 17, MaxPages: 16384, ABIVersion: capsule.ABIVersion,
	}, info)
	info, err = capsule.Inspect(wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(sharedMemory)), wasmenc.Section(7, exports)))
	require.NoError(t, err)
	require.Zero(t, info.ABIVersion)
}

func TestInspectNamesWhatIsWrong(t *testing.T) {
	good := wasmenc.Section(2, wasmenc.Vector(sharedMemory))
	for _, c := range []struct {
		name string
		wasm []byte
		is   error
		says string
	}{
		{"nothing", nil, capsule.ErrNotWasm, ""},
		{"text", []byte("<!doctype html>"), capsule.ErrNotWasm, "3c 21 64"},
		{"a component", []byte("\x00asm\x0d\x00\x01\x00"), capsule.ErrNotWasm, "0d 00 01 00"},
		{"cut short", wasmenc.Module(good, wasmenc.Section(7, exports))[:30], capsule.ErrNotWasm, "at byte"},
		{"section too long", wasmenc.Module([]byte{2, 0xff, 0xff, 0xff, 0xff, 0x0f}), capsule.ErrNotWasm, "4294967295 bytes"},
		{"number too long", wasmenc.Module([]byte{2, 0xff, 0xff, 0xff, 0xff, 0x1f}), capsule.ErrNotWasm, "32 bits"},
		{"too many names", wasmenc.Module(wasmenc.Section(2, wasmenc.LEB(1<<30))), capsule.ErrNotWasm, "1073741824 entries"},
		{"long name", wasmenc.Module(wasmenc.Section(7, wasmenc.Vector(wasmenc.Name(string(make([]byte, 2000)))))), capsule.ErrNotWasm, "name of 2000 bytes"},
		{"odd import kind", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("a", "b", 9)))), capsule.ErrNotWasm, "kind 9"},
		{"a function", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(sharedMemory, imported("wasi", "exit", 0, 0)))), capsule.ErrUnknownImport, `function "wasi"."exit"`},
		{"a table", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "t", 1, 0x70, 0, 1), sharedMemory))), capsule.ErrUnknownImport, `table "env"."t"`},
		{"a global", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "g", 3, 0x7f, 0)))), capsule.ErrUnknownImport, `global "env"."g"`},
		{"a tag", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "e", 4, 0, 0)))), capsule.ErrUnknownImport, `tag "env"."e"`},
		{"a second memory", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(sharedMemory, sharedMemory))), capsule.ErrUnknownImport, `memory "env"."memory"`},
		{"memory of another name", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "mem", 2, 3, 1, 1)))), capsule.ErrUnknownImport, `memory "env"."mem"`},
		{"env.memory a function", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "memory", 0, 0)))), capsule.ErrUnknownImport, "function"},
		{"no memory", wasmenc.Module(wasmenc.Section(7, exports)), capsule.ErrNoSharedMemory, "no import"},
		{"own memory", wasmenc.Module(wasmenc.Section(5, wasmenc.Vector([]byte{0, 1})), wasmenc.Section(7, exports)), capsule.ErrNoSharedMemory, "of its own"},
		{"not shared", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "memory", 2, 1, 1, 2)))), capsule.ErrNoSharedMemory, "not shared"},
		{"64-bit", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "memory", 2, 7, 1, 2)))), capsule.ErrNoSharedMemory, "0x7"},
		{"no maximum", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "memory", 2, 2, 1)))), capsule.ErrNoSharedMemory, "1 to 0 pages"},
		{"max below min", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "memory", 2, 3, 2, 1)))), capsule.ErrNoSharedMemory, "2 to 1 pages"},
		{"max too large", wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "memory", 2, 3, 1, 0x81, 0x80, 4)))), capsule.ErrNoSharedMemory, "65537 pages"},
		{"no control block", wasmenc.Module(good, wasmenc.Section(7, wasmenc.Vector(exported("inos_run", 0)))), capsule.ErrNoControlBlock, "no export inos_control"},
		{"control a function", wasmenc.Module(good, wasmenc.Section(7, wasmenc.Vector(exported("inos_control", 0), exported("inos_run", 0)))), capsule.ErrNoControlBlock, "is a function"},
		{"no run", wasmenc.Module(good, wasmenc.Section(7, wasmenc.Vector(exported("inos_control", 3)))), capsule.ErrNoRun, ""},
		{"run a global", wasmenc.Module(good, wasmenc.Section(7, wasmenc.Vector(exported("inos_control", 3), exported("inos_run", 3)))), capsule.ErrNoRun, "it is a global"},
		{"another ABI", wasmenc.Module(good, wasmenc.Section(7, exports), abi(9)), capsule.ErrABIVersion, "speaks 9, this host 3"},
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
	f.Add(wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(sharedMemory)), wasmenc.Section(7, exports), abi(byte(capsule.ABIVersion))))
	f.Add(wasmenc.Module(wasmenc.Section(2, wasmenc.Vector(imported("env", "t", 1, 0x70, 0, 1), imported("env", "g", 3, 0x7f, 0)))))
	f.Add(wasmenc.Module([]byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f}))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := capsule.Inspect(b)
		if err == nil && (info.MaxPages < info.MinPages || info.Size != uint64(len(b))) {
			t.Fatalf("%+v", info)
		}
	})
}
