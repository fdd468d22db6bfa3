package instrument

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// The ids of sections (WebAssembly core specification 2.0, 5.5.2). They stand in this
// order, but for dataCount, which stands before code.
const (
	custom = iota
	types
	imports
	functions
	tables
	memories
	globals
	exports
	start
	elements
	code
	data
	dataCount
)

// order is where each section stands among the others; custom sections are dropped.
var order = [...]int{types: 1, imports: 2, functions: 3, tables: 4, memories: 5, globals: 6,
	exports: 7, start: 8, elements: 9, dataCount: 10, code: 11, data: 12}

const (
	typeI32  = 0x7f
	typeFunc = 0x60

	externFunc   = 0
	externTable  = 1
	externMemory = 2
	externGlobal = 3
)

var header = []byte("\x00asm\x01\x00\x00\x00")

// module is what the rewriter knows of the original, and the indices of what it adds.
type module struct {
	section  [data + 2][]byte // the original's, without id and length
	present  [data + 2]bool
	types    uint32
	imported uint32 // functions
	defined  uint32 // functions
	globals  uint32
	segments []uint32 // lengths of the data segments, in bytes
}

// Rewrite returns the instrumented module. wasm is not changed. Errors match ErrModule.
// Custom sections are left out, names included. Time and memory are linear in len(wasm).
func Rewrite(wasm []byte) ([]byte, error) {
	m, err := parse(wasm)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(header)
	for _, id := range []byte{types, imports, functions, tables, memories, globals, exports, start, elements, dataCount, code, data} {
		body, err := m.rewritten(id)
		if err != nil {
			return nil, err
		}
		if body != nil {
			out = append(out, id)
			out = binary.AppendUvarint(out, uint64(len(body)))
			out = append(out, body...)
		}
	}
	return out, nil
}

func parse(wasm []byte) (*module, error) {
	r := &reader{b: wasm}
	if !bytes.HasPrefix(wasm, header) {
		r.fail("no header of version 1")
		return nil, r.err
	}
	r.off = len(header)
	m := &module{}
	last := 0
	for r.more() {
		id := r.byte()
		n := r.u32()
		from := r.off
		r.skip(n)
		if r.err != nil {
			break
		}
		switch {
		case id == custom:
			continue
		case id > dataCount:
			r.fail("section %d is unknown", id)
		case order[id] <= last:
			r.fail("section %d is out of order", id)
		default:
			last = order[id]
			m.section[id], m.present[id] = wasm[from:r.off], true
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return m, m.count()
}

// count finds how many there are of what indices refer to.
func (m *module) count() error {
	in := func(id byte) *reader { return &reader{b: m.section[id]} }
	first := func(id byte) uint32 {
		if !m.present[id] {
			return 0
		}
		return in(id).u32()
	}
	m.types, m.defined, m.globals = first(types), first(functions), first(globals)
	if m.present[imports] {
		r := in(imports)
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			r.name()
			r.name()
			switch kind := r.byte(); kind {
			case externFunc:
				r.u32()
				m.imported++
			case externTable:
				r.byte()
				r.limits()
			case externMemory:
				r.limits()
			case externGlobal:
				r.byte()
				r.byte()
				m.globals++
			default:
				r.fail("import of kind %d", kind)
			}
		}
		if r.finish(); r.err != nil {
			return r.err
		}
	}
	const most = math.MaxInt32
	if m.types > most || m.defined > most || m.globals > most {
		r := in(types)
		r.fail("too many entries")
		return r.err
	}
	return m.measureData()
}

// measureData finds the lengths of the data segments.
func (m *module) measureData() error {
	if !m.present[data] {
		return nil
	}
	r := &reader{b: m.section[data]}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		switch kind := r.u32(); kind {
		case 0:
			m.constant(r, nil)
		case 1:
		case 2:
			r.u32()
			m.constant(r, nil)
		default:
			r.fail("data segment of kind %d", kind)
		}
		length := r.u32()
		r.skip(length)
		m.segments = append(m.segments, length)
	}
	r.finish()
	return r.err
}

// Indices in the rewritten module.
func (m *module) interrupt() uint32 { return m.imported } // the function imported last
func (m *module) count0() uint32    { return m.globals }  // the global that counts down
func (m *module) helper(i int) uint32 {
	return m.imported + 1 + m.defined + uint32(i)
}

// function is where the original's function i stands in the rewritten module.
func (m *module) function(i uint32) uint32 {
	if i >= m.imported {
		return i + 1
	}
	return i
}
