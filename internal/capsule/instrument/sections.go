package instrument

import (
	"encoding/binary"
	"slices"
)

// MaxTable is how many entries a table may have: a host keeps 8 bytes for each,
// outside the memory that a capsule is limited to. A table that declares more, or no
// maximum, gets this one; table.grow answers -1 beyond it, as it may for any reason.
const MaxTable = 1 << 20

// writer appends WebAssembly to b.
type writer struct{ b []byte }

func (w *writer) byte(c ...byte)   { w.b = append(w.b, c...) }
func (w *writer) u32(n uint32)     { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *writer) bytes(b []byte)   { w.b = append(w.b, b...) }
func (w *writer) sized(b []byte)   { w.u32(uint32(len(b))); w.bytes(b) }
func (w *writer) i32const(n int32) { w.byte(opI32Const); w.b = appendS32(w.b, n) }

func appendS32(b []byte, n int32) []byte {
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// rewritten returns the section's body in the rewritten module, nil for none.
func (m *module) rewritten(id byte) ([]byte, error) {
	r := &reader{b: m.section[id]}
	w := &writer{}
	// added begins a section of the original's entries and some more.
	added := func(more uint32) uint32 {
		var n uint32
		if m.present[id] {
			n = r.u32()
		}
		w.u32(n + more)
		return n
	}
	switch id {
	case types:
		added(2)
		w.bytes(r.b[r.off:])
		w.byte(typeFunc, 0, 0)                            // m.types
		w.byte(typeFunc, 3, typeI32, typeI32, typeI32, 0) // m.types + 1
		return w.b, r.err
	case imports:
		added(1)
		w.bytes(r.b[r.off:])
		w.sized([]byte(ImportModule))
		w.sized([]byte(ImportName))
		w.byte(externFunc)
		w.u32(m.types)
		return w.b, r.err
	case functions:
		added(helpers)
		w.bytes(r.b[r.off:])
		w.u32(m.types)
		w.u32(m.types + 1)
		w.u32(m.types + 1)
		return w.b, r.err
	case globals:
		for n := added(1); n > 0 && r.err == nil; n-- {
			w.byte(r.byte(), r.byte())
			m.constant(r, w)
		}
		w.byte(typeI32, 1)
		w.i32const(Quantum)
		w.byte(opEnd)
		r.finish()
		return w.b, r.err
	case code:
		return m.code()
	}
	if !m.present[id] {
		return nil, nil
	}
	switch id {
	case tables:
		for n := added(0); n > 0 && r.err == nil; n-- {
			w.byte(r.byte())
			bounded(r, w)
		}
	case exports:
		for n := added(0); n > 0 && r.err == nil; n-- {
			from := r.off
			r.name()
			kind := r.byte()
			w.bytes(r.b[from:r.off])
			if kind == externFunc {
				w.u32(m.function(m.functionIndex(r)))
			} else if i := r.u32(); kind == externGlobal && i >= m.globals {
				r.fail("export of global %d of %d", i, m.globals)
			} else {
				w.u32(i)
			}
		}
	case start:
		w.u32(m.function(m.functionIndex(r)))
	case elements:
		for n := added(0); n > 0 && r.err == nil; n-- {
			m.element(r, w)
		}
	default: // memories, data and its count refer to nothing that moves
		return slices.Clone(r.b), nil
	}
	r.finish()
	return w.b, r.err
}

func (m *module) functionIndex(r *reader) uint32 {
	return r.below(m.imported+m.defined, "function")
}

// bounded copies a table's limits with a maximum of at most MaxTable.
func bounded(r *reader, w *writer) {
	flags := r.byte()
	least, most := r.u32(), uint32(MaxTable)
	switch flags {
	case 0:
	case 1:
		most = min(most, r.u32())
	default:
		r.fail("table limits with flags %#x", flags)
	}
	if least > MaxTable {
		r.fail("table of %d entries, the most is %d", least, MaxTable)
	}
	w.byte(1)
	w.u32(least)
	w.u32(most)
}

// element copies one element segment (5.5.12).
func (m *module) element(r *reader, w *writer) {
	kind := r.below(8, "element segment of kind")
	w.u32(kind)
	active, expressions := kind&1 == 0, kind&4 != 0
	if active {
		if kind&2 != 0 {
			w.u32(r.u32())
		}
		m.constant(r, w)
	}
	if kind&3 != 0 {
		w.byte(r.byte()) // its type
	}
	n := r.u32()
	w.u32(n)
	for ; n > 0 && r.err == nil; n-- {
		if expressions {
			m.constant(r, w)
		} else {
			w.u32(m.function(m.functionIndex(r)))
		}
	}
}

// constant copies a constant expression; w may be nil.
func (m *module) constant(r *reader, w *writer) {
	if w == nil {
		w = &writer{}
	}
	for r.err == nil {
		from := r.off
		switch op := r.byte(); op {
		case opI32Const:
			r.leb(5)
		case opI64Const:
			r.leb(10)
		case opF32Const:
			r.skip(4)
		case opF64Const:
			r.skip(8)
		case opSIMD:
			if sub := r.u32(); sub != simdConst {
				r.fail("instruction fd %d in a constant", sub)
			}
			r.skip(16)
		case opGlobalGet:
			r.below(m.globals, "global")
		case opRefNull:
			r.byte()
		case opRefFunc:
			i := m.functionIndex(r)
			w.byte(opRefFunc)
			w.u32(m.function(i))
			continue
		case opEnd:
			w.byte(opEnd)
			return
		default:
			r.fail("instruction %#x in a constant", op)
		}
		w.bytes(r.b[from:r.off])
	}
}
