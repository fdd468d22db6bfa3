package hostile

import (
	"encoding/binary"
	"maps"
	"slices"

	"inos/internal/capsule"
	"inos/internal/testkit/wasmenc"
)

// Module is a capsule that says it is well, with declarations of locals for inos_run and
// its code without the end: modules that no assembler writes. It imports a memory of 2 to
// 16 pages.
func Module(locals []byte, code ...byte) []byte {
	return ModuleWith(Healthy(nil), locals, code...)
}

// ModuleWith is Module with the words of its control block, by their offsets.
func ModuleWith(words map[uint32]uint32, locals []byte, code ...byte) []byte {
	block := make([]byte, capsule.ControlSize)
	for off, w := range words {
		binary.LittleEndian.PutUint32(block[off:], w)
	}
	const at1024, end = "\x41\x80\x08\x0b", 0x0b // (i32.const 1024), end
	return wasmenc.Module(
		wasmenc.Section(1, []byte{1, 0x60, 0, 0}), // (func)
		wasmenc.Section(2, []byte{1}, wasmenc.Name("env"), wasmenc.Name("memory"), []byte{2, 3, 2, 16}),
		wasmenc.Section(3, []byte{1, 0}),
		wasmenc.Section(6, []byte{1, 0x7f, 0}, []byte(at1024)),
		wasmenc.Section(7, []byte{2}, wasmenc.Name("inos_control"), []byte{3, 0}, wasmenc.Name("inos_run"), []byte{0, 0}),
		wasmenc.Section(10, []byte{1}, wasmenc.Sized(locals, code, []byte{end})),
		wasmenc.Section(11, []byte{1, 0}, []byte(at1024), wasmenc.Sized(block)),
	)
}

// Healthy are the words of a control block with two good rings, changed by change.
func Healthy(change map[uint32]uint32) map[uint32]uint32 {
	words := map[uint32]uint32{
		capsule.OffMagic: capsule.ControlMagic, capsule.OffABIVersion: capsule.ABIVersion,
		capsule.OffCommandBase: 8192, capsule.OffCommandSize: 4096,
		capsule.OffEventBase: 16384, capsule.OffEventSize: 4096,
		capsule.OffState: capsule.StateRunning,
	}
	maps.Copy(words, change)
	return words
}

// Locals declares n locals of type i32.
func Locals(n int) []byte { return append(append([]byte{1}, wasmenc.LEB(n)...), 0x7f) }

// SlowToCompile takes wazero half a minute and some hundred MiB: many small loops that
// read and write many locals.
func SlowToCompile() []byte {
	const loops, locals = 8_000, 1_000
	var code []byte
	for i := range loops {
		from, to := wasmenc.LEB(i*7919%locals), wasmenc.LEB(i*104729%locals)
		// (loop (br_if 0 (local.get from)) (local.set to (i32.add (local.get from) (i32.const 1))))
		code = slices.Concat(code, []byte{0x03, 0x40, 0x20}, from, []byte{0x0d, 0, 0x20}, from, []byte{0x41, 1, 0x6a, 0x21}, to, []byte{0x0b})
	}
	return Module(Locals(locals), code...)
}
