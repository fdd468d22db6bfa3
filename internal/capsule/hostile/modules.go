package hostile

import (
	"encoding/binary"
	"maps"
	"slices"

	"inos/internal/capsule"
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
	return slices.Concat(
		[]byte("\x00asm\x01\x00\x00\x00"),
		section(1, 1, 0x60, 0, 0), // (func)
		section(2, slices.Concat([]byte{1}, sized([]byte("env")...), sized([]byte("memory")...), []byte{2, 3, 2, 16})...),
		section(3, 1, 0),
		section(6, append([]byte{1, 0x7f, 0}, at1024...)...),
		section(7, slices.Concat([]byte{2}, sized([]byte("inos_control")...), []byte{3, 0}, sized([]byte("inos_run")...), []byte{0, 0})...),
		section(10, slices.Concat([]byte{1}, sized(slices.Concat(locals, code, []byte{end})...))...),
		section(11, slices.Concat([]byte{1, 0}, []byte(at1024), sized(block...))...),
	)
}

func leb(n int) []byte                     { return binary.AppendUvarint(nil, uint64(n)) }
func sized(b ...byte) []byte               { return append(leb(len(b)), b...) }
func section(id byte, body ...byte) []byte { return append([]byte{id}, sized(body...)...) }

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
func Locals(n int) []byte { return append(append([]byte{1}, leb(n)...), 0x7f) }

// SlowToCompile takes wazero half a minute and some hundred MiB: many small loops that
// read and write many locals.
func SlowToCompile() []byte {
	const loops, locals = 8_000, 1_000
	var code []byte
	for i := range loops {
		from, to := leb(i*7919%locals), leb(i*104729%locals)
		// (loop (br_if 0 (local.get from)) (local.set to (i32.add (local.get from) (i32.const 1))))
		code = slices.Concat(code, []byte{0x03, 0x40, 0x20}, from, []byte{0x0d, 0, 0x20}, from, []byte{0x41, 1, 0x6a, 0x21}, to, []byte{0x0b})
	}
	return Module(Locals(locals), code...)
}
