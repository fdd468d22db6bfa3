package instrument

// instruction reads one instruction and rewrites it if it has to be.
func (b *body) instruction() {
	r, m := b.r, b.m
	from := r.off
	switch op := r.byte(); {
	case op == opBlock || op == opLoop || op == opIf:
		b.block(op)
	case op == opElse:
	case op == opEnd:
		b.end()
	case op == opBr || op == opBrIf:
		r.u32()
	case op == opBrTable:
		for n := uint64(r.u32()) + 1; n > 0 && r.err == nil; n-- {
			r.u32()
		}
	case op == opCall || op == opRefFunc:
		i := m.functionIndex(r)
		b.replace(from, func() {
			b.w.byte(op)
			b.w.u32(m.function(i))
		})
	case op == opCallIndirect:
		r.below(m.types, "type")
		r.u32()
	case op == opSelectTyped:
		r.skip(r.u32())
	case op >= opLocalGet && op <= opLocalTee:
		r.below(b.locals, "local")
	case op == opGlobalGet || op == opGlobalSet:
		r.below(m.globals, "global")
	case op == opTableGet || op == opTableSet:
		r.u32()
	case op >= 0x28 && op <= 0x3e: // loads and stores
		r.u32()
		r.u32()
	case op == opMemorySize || op == opMemoryGrow:
		r.zero()
	case op == opI32Const:
		r.leb(5)
	case op == opI64Const:
		r.leb(10)
	case op == opF32Const:
		r.skip(4)
	case op == opF64Const:
		r.skip(8)
	case op == opRefNull:
		r.byte()
	case op <= 0x01, op == opReturn, op == 0x1a, op == 0x1b, op >= 0x45 && op <= 0xc4, op == opRefIsNull:
	case op == opMisc:
		b.misc(from)
	case op == opSIMD:
		b.simd()
	case op == opAtomic:
		b.atomic()
	default:
		r.fail("instruction %#x is unknown", op)
	}
}

// misc reads an instruction of prefix fc: saturating truncations and bulk operations.
func (b *body) misc(from int) {
	r, m := b.r, b.m
	switch sub := r.u32(); sub {
	case 0, 1, 2, 3, 4, 5, 6, 7:
	case miscMemoryInit:
		i := r.below(uint32(len(m.segments)), "data segment")
		r.zero()
		if r.err == nil {
			b.before(from, int32(min(m.segments[i]/bytesPerUnit, 1<<30)))
		}
	case miscDataDrop, miscElemDrop, miscTableSize:
		r.u32()
	case miscMemoryCopy:
		r.zero()
		r.zero()
		b.replace(from, func() { b.call(helperCopy) })
	case miscMemoryFill:
		r.zero()
		b.replace(from, func() { b.call(helperFill) })
	case miscTableInit, miscTableCopy:
		r.u32()
		r.u32()
		b.before(from, tableCost)
	case miscTableGrow, miscTableFill:
		r.u32()
		b.before(from, tableCost)
	default:
		r.fail("instruction fc %d is unknown", sub)
	}
}

// tableCost is the most an operation on a table can cost: 8 bytes an entry.
const tableCost = MaxTable * 8 / bytesPerUnit

// before charges an instruction that began at from by what it may do.
func (b *body) before(from int, cost int32) {
	b.replace(from, func() {
		b.charge(cost)
		b.w.bytes(b.r.b[from:b.r.off])
	})
}

func (b *body) call(helper int) {
	b.w.byte(opCall)
	b.w.u32(b.m.helper(helper))
}

// simd reads an instruction of prefix fd.
func (b *body) simd() {
	r := b.r
	switch sub := r.u32(); {
	case sub <= 11, sub == 92, sub == 93: // loads and stores
		r.u32()
		r.u32()
	case sub == simdConst, sub == simdShuffle:
		r.skip(16)
	case sub >= 21 && sub <= 34: // lanes
		r.byte()
	case sub >= 84 && sub <= 91: // loads and stores of a lane
		r.u32()
		r.u32()
		r.byte()
	case sub <= 255:
	default:
		r.fail("instruction fd %d is unknown", sub)
	}
}

// atomic reads an instruction of prefix fe (threads proposal).
func (b *body) atomic() {
	r := b.r
	switch sub := r.u32(); {
	case sub == 3:
		r.zero()
	case sub <= 2, sub >= 0x10 && sub <= 0x4e:
		r.u32()
		r.u32()
	default:
		r.fail("instruction fe %d is unknown", sub)
	}
}
