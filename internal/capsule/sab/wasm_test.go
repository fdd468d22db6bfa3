//go:build js && browser

package sab_test

import (
	"encoding/binary"

	"inos/internal/capsule"
)

// These modules are encoded by hand (WebAssembly core specification, chapter 5)
// because they do what no decent compiler's output does.

const at = 1024 // their control block

func section(id byte, body ...byte) []byte {
	return append(append([]byte{id}, leb(uint64(len(body)))...), body...)
}

func leb(v uint64) []byte { return binary.AppendUvarint(nil, v) }

// sleb is signed LEB128.
func sleb(v int64) []byte {
	var out []byte
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

func join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func named(s string) []byte { return append(leb(uint64(len(s))), s...) }

func i32c(v uint32) []byte { return append([]byte{0x41}, sleb(int64(int32(v)))...) }

var (
	unreachable = []byte{0x00}
	drop        = []byte{0x1a}
	atomicLoad  = []byte{0xfe, 0x10, 2, 0}
	atomicStore = []byte{0xfe, 0x17, 2, 0}
	atomicAdd   = []byte{0xfe, 0x1e, 2, 0}
	atomicWait  = []byte{0xfe, 0x01, 2, 0}
	notify      = []byte{0xfe, 0x00, 2, 0}
	forever     = []byte{0x42, 0x7f} // i64.const -1
	memoryGrow  = []byte{0x40, 0}
	ret         = []byte{0x0f}
)

func loop(body ...[]byte) []byte {
	return join([]byte{0x03, 0x40}, join(body...), []byte{0x0c, 0}, []byte{0x0b})
}

// ring adds one to the event doorbell and wakes the host.
var ring = join(i32c(at+capsule.OffEventDoorbell), i32c(1), atomicAdd, drop,
	i32c(at+capsule.OffEventListening), i32c(0), atomicStore,
	i32c(at+capsule.OffEventListening), i32c(1), notify, drop)

type sample struct {
	minPages, maxPages uint64
	code               []byte // inos_run's, without the final end; it has one i32 local
	text               string // data at 2048
	start              bool   // the code is the start function instead
}

func (s sample) wasm() []byte {
	if s.maxPages == 0 {
		s.minPages, s.maxPages = 1, 16
	}
	noop := []byte{2, 0, 0x0b}
	body := join([]byte{1, 1, 0x7f}, s.code, []byte{0x0b})
	body = append(leb(uint64(len(body))), body...)
	run := byte(1)
	if s.start {
		run = 0
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, 1, 0x60, 0, 0)...)
	out = append(out, section(2, join([]byte{1}, named("env"), named("memory"), []byte{2, 3}, leb(s.minPages), leb(s.maxPages))...)...)
	out = append(out, section(3, 2, 0, 0)...)
	out = append(out, section(6, join([]byte{1, 0x7f, 0}, i32c(at), []byte{0x0b})...)...)
	out = append(out, section(7, join([]byte{2}, named("inos_control"), []byte{3, 0}, named("inos_run"), []byte{0, run})...)...)
	if s.start {
		out = append(out, section(8, 1)...)
	}
	out = append(out, section(10, join([]byte{2}, noop, body)...)...)
	if s.text != "" {
		out = append(out, section(11, join([]byte{1, 0}, i32c(at+capsule.OffPanicText), []byte{0x0b}, named(s.text))...)...)
	}
	return out
}

var (
	stops   = sample{code: nil}
	spins   = sample{code: loop()}
	traps   = sample{code: unreachable}
	storms  = sample{code: loop(ring)}
	sleeps  = sample{code: join(i32c(at+capsule.OffCommandDoorbell), i32c(0), forever, atomicWait, drop, loop())}
	panics  = sample{text: "src/lib.rs:7:9: index 9 out of range", code: join(i32c(at+capsule.OffPanicLength), i32c(36), atomicStore, i32c(at+capsule.OffState), i32c(capsule.StatePanicked), atomicStore, ring, unreachable)}
	badBoot = sample{code: unreachable, start: true}
	invalid = sample{code: drop} // drops from an empty stack: well-formed, not valid

	// answers rings back for every ring, until killed.
	answers = sample{code: loop(
		i32c(at+capsule.OffCommandDoorbell), []byte{0x20, 0}, forever, atomicWait, drop,
		i32c(at+capsule.OffCommandDoorbell), atomicLoad, []byte{0x21, 0},
		i32c(at+capsule.OffKill), atomicLoad, []byte{0x04, 0x40}, ret, []byte{0x0b},
		ring,
	)}

	// confessesOn sleeps on a word of the control block and, woken with the kill word
	// set, says so at 4096.
	confessesOn = func(word uint32) sample {
		return sample{code: join(
			ring, i32c(at+word), i32c(0), forever, atomicWait, drop,
			i32c(4096), i32c(at+capsule.OffKill), atomicLoad, atomicStore,
			loop(),
		)}
	}

	// grows adds a page, writes at its start, rings, sleeps for good.
	grows = sample{code: join(
		i32c(1), memoryGrow, drop,
		i32c(65536), i32c(0xC0FFEE), atomicStore, ring,
		i32c(at+capsule.OffCommandDoorbell), i32c(0), forever, atomicWait, drop,
	)}
)
