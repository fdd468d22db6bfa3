package wazero

import (
	"encoding/binary"
	"slices"
)

// pages are a memory's limits.
type pages struct{ min, max uint32 }

const (
	helperMemory = "memory"
	helperNotify = "notify"
	helperWait   = "wait"
)

// helperModule is the module each instance imports as env: it owns the shared
// memory, and has the two instructions the host cannot execute itself.
//
//	(memory (export "memory") min max shared)
//	(func (export "notify") (param i32) (result i32)
//	  (memory.atomic.notify (local.get 0) (i32.const -1)))
//	(func (export "wait") (param i32 i32 i64) (result i32)
//	  (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
func helperModule(p pages) []byte {
	const i32, i64, fn = 0x7f, 0x7e, 0x60
	const localGet, i32Const, atomic, end = 0x20, 0x41, 0xfe, 0x0b
	notify := []byte{0, localGet, 0, i32Const, 0x7f, atomic, 0x00, 2, 0, end}
	wait := []byte{0, localGet, 0, localGet, 1, localGet, 2, atomic, 0x01, 2, 0, end}
	return slices.Concat(
		[]byte("\x00asm\x01\x00\x00\x00"),
		section(1, []byte{2, fn, 1, i32, 1, i32, fn, 3, i32, i32, i64, 1, i32}),
		section(3, []byte{2, 0, 1}),
		section(5, []byte{1, 3}, leb(p.min), leb(p.max)),
		section(7, []byte{3}, export(helperMemory, 2, 0), export(helperNotify, 0, 0), export(helperWait, 0, 1)),
		section(10, []byte{2}, sized(notify), sized(wait)),
	)
}

func leb(n uint32) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func sized(b []byte) []byte { return append(leb(uint32(len(b))), b...) }

func section(id byte, parts ...[]byte) []byte {
	return append([]byte{id}, sized(slices.Concat(parts...))...)
}

func export(name string, kind, index byte) []byte {
	return append(sized([]byte(name)), kind, index)
}
