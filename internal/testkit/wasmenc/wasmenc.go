// Package wasmenc encodes the parts of WebAssembly modules that tests make by hand
// (WebAssembly core specification, chapter 5). Only tests import it.
package wasmenc

import (
	"encoding/binary"
	"slices"
)

// LEB is n as unsigned LEB128.
func LEB[N int | uint64](n N) []byte { return binary.AppendUvarint(nil, uint64(n)) }

// SLEB is n as signed LEB128.
func SLEB(n int64) []byte {
	var out []byte
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

// Sized is all of parts after their length in bytes.
func Sized(parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append(LEB(len(body)), body...)
}

// Name is a name.
func Name(s string) []byte { return Sized([]byte(s)) }

// Vector is a vector of items.
func Vector(items ...[]byte) []byte { return append(LEB(len(items)), slices.Concat(items...)...) }

// Section is a section with that id.
func Section(id byte, body ...[]byte) []byte { return append([]byte{id}, Sized(body...)...) }

// Module is a module of sections.
func Module(sections ...[]byte) []byte {
	return append([]byte("\x00asm\x01\x00\x00\x00"), slices.Concat(sections...)...)
}
