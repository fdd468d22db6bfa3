package capsule

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	maxPages    = 65536
	limitMax    = 1 // bits of a memory type's flags
	limitShared = 2

	externFunc   = 0
	externTable  = 1
	externMemory = 2
	externGlobal = 3
	externTag    = 4

	// Bounds far above any real capsule, so that a hostile one cannot make the
	// parser hold much.
	maxNames = 10000
	maxName  = 1 << 10
)

func externName(kind byte) string {
	names := [...]string{"function", "table", "memory", "global", "tag"}
	if int(kind) < len(names) {
		return names[kind]
	}
	return fmt.Sprintf("kind %d", kind)
}

// module holds the facts Inspect judges.
type module struct {
	hasMemory     bool
	ownMemory     bool
	memory        memoryType
	unknownImport string // the first
	exports       map[string]byte
	abi           uint32
}

type memoryType struct {
	flags    byte
	min, max uint32
}

var wasmHeader = []byte("\x00asm\x01\x00\x00\x00")

// parseModule walks the sections (WebAssembly core specification, chapter 5).
func parseModule(wasm []byte) (*module, error) {
	if !bytes.HasPrefix(wasm, wasmHeader) {
		return nil, fmt.Errorf("%w: it starts with % x", ErrNotWasm, wasm[:min(len(wasm), len(wasmHeader))])
	}
	m := &module{exports: map[string]byte{}}
	r := reader{b: wasm, off: len(wasmHeader)}
	for r.err == nil && r.off < len(r.b) {
		id := r.byte()
		s := r.section(r.u32())
		switch id {
		case 0:
			if name := s.name(); s.err == nil && name == sectionABI && len(s.b)-s.off == 4 {
				m.abi = binary.LittleEndian.Uint32(s.b[s.off:])
			}
		case 2:
			m.imports(&s)
		case 5:
			m.ownMemory = m.ownMemory || s.u32() > 0
		case 7:
			m.exported(&s)
		}
		if s.err != nil && r.err == nil {
			r.err = fmt.Errorf("%w (section %d)", s.err, id)
		}
	}
	return m, r.err
}

func (m *module) imports(s *reader) {
	for n := s.count(); n > 0 && s.err == nil; n-- {
		mod, field, kind := s.name(), s.name(), s.byte()
		isMemory := mod == importModule && field == importMemory && kind == externMemory
		switch kind {
		case externFunc:
			s.u32()
		case externTable:
			s.byte()
			s.limits()
		case externMemory:
			t := s.limits()
			if isMemory && !m.hasMemory {
				m.memory, m.hasMemory = t, true
				continue
			}
		case externGlobal:
			s.byte()
			s.byte()
		case externTag:
			s.byte()
			s.u32()
		default:
			s.fail("import of unknown kind %d", kind)
		}
		if s.err == nil && m.unknownImport == "" {
			m.unknownImport = fmt.Sprintf("%s %q.%q", externName(kind), mod, field)
		}
	}
}

func (m *module) exported(s *reader) {
	for n := s.count(); n > 0 && s.err == nil; n-- {
		name, kind := s.name(), s.byte()
		s.u32()
		if s.err == nil {
			m.exports[name] = kind
		}
	}
}

// reader reads bytes until its first error and zeroes after.
type reader struct {
	b   []byte
	off int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: %s", ErrNotWasm, r.off, fmt.Sprintf(format, args...))
	}
}

func (r *reader) byte() byte {
	if r.err != nil || r.off >= len(r.b) {
		r.fail("cut short")
		return 0
	}
	c := r.b[r.off]
	r.off++
	return c
}

// u32 reads an unsigned LEB128 of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > 1<<32-1 {
				break
			}
			return uint32(v)
		}
	}
	r.fail("number longer than 32 bits")
	return 0
}

func (r *reader) count() uint32 {
	n := r.u32()
	if n > maxNames {
		r.fail("%d entries", n)
		return 0
	}
	return n
}

func (r *reader) name() string {
	n := r.u32()
	if r.err != nil || n > maxName || int(n) > len(r.b)-r.off {
		r.fail("name of %d bytes", n)
		return ""
	}
	s := string(r.b[r.off : r.off+int(n)])
	r.off += int(n)
	return s
}

func (r *reader) limits() memoryType {
	t := memoryType{flags: r.byte()}
	if t.flags&^(limitMax|limitShared) != 0 {
		// A 64-bit memory or custom page size: its numbers mean something else.
		if r.err == nil {
			r.err = fmt.Errorf("%w: limits with flags %#x", ErrNoSharedMemory, t.flags)
		}
		return t
	}
	t.min = r.u32()
	if t.flags&limitMax != 0 {
		t.max = r.u32()
	}
	return t
}

// section cuts the next n bytes out.
func (r *reader) section(n uint32) reader {
	if r.err != nil || uint64(n) > uint64(len(r.b)-r.off) {
		r.fail("section of %d bytes, %d left", n, len(r.b)-r.off)
		return reader{err: r.err}
	}
	s := reader{b: r.b[:r.off+int(n)], off: r.off}
	r.off += int(n)
	return s
}
