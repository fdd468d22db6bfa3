//go:build js && browser

package sab_test

import (
	"slices"

	"inos/internal/capsule"
	"inos/internal/testkit/wasmenc"
)

// These modules are encoded by hand (WebAssembly core specification, chapter 5)
// because they do what no decent compiler's output does.

const at = 1024 // their control block

func i32c(v uint32) []byte { return append([]byte{0x41}, wasmenc.SLEB(int64(int32(v)))...) }

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
	return slices.Concat([]byte{0x03, 0x40}, slices.Concat(body...), []byte{0x0c, 0}, []byte{0x0b})
}

// ring adds one to the event doorbell and wakes the host.
var ring = slices.Concat(i32c(at+capsule.OffEventDoorbell), i32c(1), atomicAdd, drop,
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
	body := wasmenc.Sized([]byte{1, 1, 0x7f}, s.code, []byte{0x0b})
	run := byte(1)
	if s.start {
		run = 0
	}
	sections := [][]byte{
		wasmenc.Section(1, []byte{1, 0x60, 0, 0}),
		wasmenc.Section(2, []byte{1}, wasmenc.Name("env"), wasmenc.Name("memory"), []byte{2, 3}, wasmenc.LEB(s.minPages), wasmenc.LEB(s.maxPages)),
		wasmenc.Section(3, []byte{2, 0, 0}),
		wasmenc.Section(6, []byte{1, 0x7f, 0}, i32c(at), []byte{0x0b}),
		wasmenc.Section(7, []byte{2}, wasmenc.Name("inos_control"), []byte{3, 0}, wasmenc.Name("inos_run"), []byte{0, run}),
	}
	if s.start {
		sections = append(sections, wasmenc.Section(8, []byte{1}))
	}
	sections = append(sections, wasmenc.Section(10, []byte{2}, noop, body))
	if s.text != "" {
		sections = append(sections, wasmenc.Section(11, []byte{1, 0}, i32c(at+capsule.OffPanicText), []byte{0x0b}, wasmenc.Name(s.text)))
	}
	return wasmenc.Module(sections...)
}

var (
	stops   = sample{code: nil}
	spins   = sample{code: loop()}
	traps   = sample{code: unreachable}
	storms  = sample{code: loop(ring)}
	sleeps  = sample{code: slices.Concat(i32c(at+capsule.OffCommandDoorbell), i32c(0), forever, atomicWait, drop, loop())}
	panics  = sample{text: "src/lib.rs:7:9: index 9 out of range", code: slices.Concat(i32c(at+capsule.OffPanicLength), i32c(36), atomicStore, i32c(at+capsule.OffState), i32c(capsule.StatePanicked), atomicStore, ring, unreachable)}
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
		return sample{code: slices.Concat(
			ring, i32c(at+word), i32c(0), forever, atomicWait, drop,
			i32c(4096), i32c(at+capsule.OffKill), atomicLoad, atomicStore,
			loop(),
		)}
	}

	// grows adds a page, writes at its start, rings, sleeps for good.
	grows = sample{code: slices.Concat(
		i32c(1), memoryGrow, drop,
		i32c(65536), i32c(0xC0FFEE), atomicStore, ring,
		i32c(at+capsule.OffCommandDoorbell), i32c(0), forever, atomicWait, drop,
	)}
)
