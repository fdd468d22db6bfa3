package instrument

// The functions that a rewritten module has more than the original, in this order.
const (
	helperCall = iota // () -> (): calls the host and starts the count again
	helperFill        // (to, value, bytes i32) -> (): memory.fill in pieces
	helperCopy        // (to, from, bytes i32) -> (): memory.copy in pieces
	helpers
)

// More instructions.
const (
	opI32Eqz  = 0x45
	opI32LtS  = 0x48
	opI32LeU  = 0x4d
	opI32GtU  = 0x4b
	opI64GtU  = 0x56
	opI32Add  = 0x6a
	opI32Sub  = 0x6b
	opI32Or   = 0x72
	opI32ShrU = 0x76
	opI64Add  = 0x7c
	opI64Shl  = 0x86
	opExtendU = 0xad // i64.extend_i32_u
)

// helpers appends the helpers' bodies to the code section.
func (m *module) helpers(w *writer) {
	function := func(locals byte, write func(b *body)) {
		b := &body{m: m, w: &writer{}, locals: 3}
		b.w.byte(locals)
		if locals > 0 {
			b.w.byte(1, typeI32)
		}
		write(b)
		b.w.byte(opEnd)
		w.sized(b.w.b)
	}
	function(0, func(b *body) {
		b.w.byte(opCall)
		b.w.u32(m.interrupt())
		b.w.i32const(Quantum)
		b.w.byte(opGlobalSet)
		b.w.u32(m.count0())
	})
	function(1, func(b *body) { b.bulk([]byte{opMisc, miscMemoryFill, 0}, false) })
	function(1, func(b *body) { b.bulk([]byte{opMisc, miscMemoryCopy, 0, 0}, true) })
}

const (
	paramTo   = 0
	paramFrom = 1 // or the value
	paramN    = 2
	fixed     = 64 // the cost of a short operation, its call included
)

// bulk writes the body of memory.fill or memory.copy: what is short, or will trap
// before it writes anything, is done at once; everything else in pieces, from the end
// where source and destination may overlap so.
func (b *body) bulk(op []byte, copies bool) {
	w := b.w
	get := func(local byte) { w.byte(opLocalGet, local) }
	whole := func() { get(paramTo); get(paramFrom); get(paramN); w.bytes(op) }
	// outside says whether N bytes at a local end past the memory.
	outside := func(local byte) {
		get(local)
		w.byte(opExtendU)
		get(paramN)
		w.byte(opExtendU, opI64Add, opMemorySize, 0, opExtendU, opI64Const, 16, opI64Shl, opI64GtU)
	}
	// All of it is charged before what is done at once: min(N, ChunkBytes) is N there.
	get(paramN)
	w.i32const(ChunkBytes)
	w.byte(opI32LeU)
	outside(paramTo)
	w.byte(opI32Or)
	if copies {
		outside(paramFrom)
		w.byte(opI32Or)
	}
	w.byte(opIf, emptyBlock)
	b.chargeDynamic()
	whole()
	w.byte(opReturn, opEnd)
	if copies {
		get(paramTo)
		get(paramFrom)
		w.byte(opI32GtU, opIf, emptyBlock)
		b.pieces(func() { // from the end: N is what is left
			less(w, paramN, ChunkBytes)
			get(paramTo)
			get(paramN)
			w.byte(opI32Add)
			get(paramFrom)
			get(paramN)
			w.byte(opI32Add)
			w.i32const(ChunkBytes)
			w.bytes(op)
		})
		whole()
		w.byte(opReturn, opEnd)
	}
	b.pieces(func() {
		get(paramTo)
		get(paramFrom)
		w.i32const(ChunkBytes)
		w.bytes(op)
		less(w, paramTo, -ChunkBytes)
		if copies {
			less(w, paramFrom, -ChunkBytes)
		}
		less(w, paramN, ChunkBytes)
	})
	whole()
}

// pieces does one piece after the other while more than one is left.
func (b *body) pieces(piece func()) {
	w := b.w
	w.byte(opLoop, emptyBlock)
	b.charge(ChunkBytes / bytesPerUnit)
	piece()
	w.byte(opLocalGet, paramN)
	w.i32const(ChunkBytes)
	w.byte(opI32GtU, opBrIf, 0, opEnd)
}

// less takes n from a local.
func less(w *writer, local byte, n int32) {
	w.byte(opLocalGet, local)
	w.i32const(n)
	w.byte(opI32Sub, opLocalSet, local)
}

// chargeDynamic charges N bytes, or a fixed cost where N is more than a piece: that
// traps at once.
func (b *body) chargeDynamic() {
	w, count := b.w, b.m.count0()
	w.byte(opGlobalGet)
	w.u32(count)
	w.byte(opLocalGet, paramN)
	w.i32const(4) // bytesPerUnit
	w.byte(opI32ShrU)
	w.i32const(fixed)
	w.byte(opI32Add, opI32Sub, opLocalTee)
	w.u32(b.locals)
	w.byte(opGlobalSet)
	w.u32(count)
	w.byte(opLocalGet)
	w.u32(b.locals)
	w.byte(opI32Const, 0, opI32LtS, opIf, emptyBlock, opCall)
	w.u32(b.m.helper(helperCall))
	w.byte(opEnd)
}
