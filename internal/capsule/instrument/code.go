package instrument

import "math"

// Instructions that are looked at (WebAssembly core specification 2.0, 5.4).
const (
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opSelectTyped  = 0x1c
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opTableGet     = 0x25
	opTableSet     = 0x26
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opRefNull      = 0xd0
	opRefIsNull    = 0xd1
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opSIMD         = 0xfd
	opAtomic       = 0xfe

	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17

	simdConst   = 12
	simdShuffle = 13

	emptyBlock = 0x40
)

// body is one function's body while it is rewritten.
type body struct {
	m      *module
	r      *reader
	w      *writer
	locals uint32 // parameters included; the next is the rewriter's
	copied int    // what of r.b is in w
	open   []int  // of each open block: where the cost of a loop stands in w, 0 for others
	heads  []int  // of each open block: where its body begins in r.b
}

// code rewrites the code section and appends the helpers.
func (m *module) code() ([]byte, error) {
	var n uint32
	r := &reader{b: m.section[code]}
	if m.present[code] {
		n = r.u32()
	}
	if n != m.defined {
		r.fail("%d bodies for %d functions", n, m.defined)
		return nil, r.err
	}
	params, err := m.params()
	if err != nil {
		return nil, err
	}
	w := &writer{b: make([]byte, 0, len(r.b)+len(r.b)/4+1024)}
	w.u32(n + helpers)
	for i := range n {
		length := r.u32()
		from := r.off
		r.skip(length)
		if r.err != nil {
			return nil, r.err
		}
		b := &body{m: m, r: &reader{b: r.b[:r.off], off: from, err: nil}, w: &writer{}, locals: params[i]}
		b.rewrite()
		if b.r.err != nil {
			return nil, b.r.err
		}
		w.sized(b.w.b)
	}
	r.finish()
	m.helpers(w)
	return w.b, r.err
}

// params counts the parameters of each defined function.
func (m *module) params() ([]uint32, error) {
	counts := make([]uint32, 0, min(m.types, 1<<16))
	r := &reader{b: m.section[types]}
	if m.present[types] {
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			if c := r.byte(); c != typeFunc {
				r.fail("type of kind %#x", c)
			}
			n := r.u32()
			r.skip(n)
			r.skip(r.u32())
			counts = append(counts, n)
		}
	}
	if r.finish(); r.err != nil {
		return nil, r.err
	}
	f := &reader{b: m.section[functions]}
	var of []uint32
	if m.present[functions] {
		for n := f.u32(); n > 0 && f.err == nil; n-- {
			if i := f.below(uint32(len(counts)), "type"); f.err == nil {
				of = append(of, counts[i])
			}
		}
	}
	f.finish()
	return of, f.err
}

func (b *body) rewrite() {
	r := b.r
	groups := r.u32()
	from := r.off
	for i := uint32(0); i < groups && r.err == nil; i++ {
		n := r.u32()
		r.byte()
		if uint64(b.locals)+uint64(n) > MaxLocals {
			r.fail("%d locals, the most is %d", uint64(b.locals)+uint64(n), MaxLocals)
		}
		b.locals += n
	}
	if r.err != nil {
		return
	}
	b.w.u32(groups + 1)
	b.w.bytes(r.b[from:r.off])
	b.w.byte(1, typeI32)
	b.copied = r.off
	b.charge(int32(min(len(r.b)-r.off, math.MaxInt32)))
	b.open, b.heads = append(b.open, 0), append(b.heads, 0)
	for r.err == nil && len(b.open) > 0 {
		b.instruction()
	}
	r.finish()
	b.flush()
}

// flush copies what was read.
func (b *body) flush() {
	if b.r.err == nil {
		b.w.bytes(b.r.b[b.copied:b.r.off])
		b.copied = b.r.off
	}
}

// replace writes other code for the instruction that began at from.
func (b *body) replace(from int, write func()) {
	if b.r.err != nil {
		return
	}
	b.w.bytes(b.r.b[b.copied:from])
	b.copied = b.r.off
	write()
}

// charge counts cost down and calls the host below zero. The stack is as it was.
// It returns where in w the cost stands, as a number of 5 bytes.
func (b *body) charge(cost int32) int {
	w, count := b.w, b.m.count0()
	w.byte(opGlobalGet)
	w.u32(count)
	w.byte(opI32Const)
	at := len(w.b)
	w.byte(0, 0, 0, 0, 0)
	setCost(w.b[at:], cost)
	w.byte(opI32Sub, opLocalTee)
	w.u32(b.locals)
	w.byte(opGlobalSet)
	w.u32(count)
	w.byte(opLocalGet)
	w.u32(b.locals)
	w.byte(opI32Const, 0, opI32LtS, opIf, emptyBlock, opCall)
	w.u32(b.m.helper(helperCall))
	w.byte(opEnd)
	return at
}

// setCost writes a positive number in exactly 5 bytes of LEB128.
func setCost(b []byte, cost int32) {
	for i := range 4 {
		b[i] = byte(cost&0x7f) | 0x80
		cost >>= 7
	}
	b[4] = byte(cost)
}

// block opens a block, a loop or a branch of an if.
func (b *body) block(op byte) {
	r := b.r
	switch c := r.byte(); {
	case r.err != nil:
	case c == emptyBlock || c >= 0x6f && c <= 0x70 || c >= 0x7b && c <= 0x7f:
	default: // the index of a type, as a signed number of 33 bits
		r.off--
		r.below(b.m.types, "type") // of a non-negative one the bytes are those of an unsigned number, or one more
	}
	at := 0
	if op == opLoop {
		b.flush()
		at = b.charge(0)
	}
	b.open, b.heads = append(b.open, at), append(b.heads, r.off)
	if len(b.open) > MaxDepth {
		r.fail("%d blocks within each other, the most is %d", len(b.open), MaxDepth)
	}
}

// end closes a block; of a loop it is known now how long it is.
func (b *body) end() {
	last := len(b.open) - 1
	if at := b.open[last]; at != 0 {
		setCost(b.w.b[at:], int32(min(b.r.off-b.heads[last], math.MaxInt32)))
	}
	b.open, b.heads = b.open[:last], b.heads[:last]
}
