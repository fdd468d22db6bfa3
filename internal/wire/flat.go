package wire

import (
	"encoding/binary"

	"inos/internal/capsule"
	systemv1 "inos/schema/system/v1"
)

// flatCommand writes a LifecycleCmd with the library's layout: one segment, four words of data,
// three pointers, then their targets. It takes a tenth of the library's time, which counts in a
// browser. A test compares the two.
func flatCommand(c capsule.Command, params []byte) []byte {
	const dataWords, pointers = 4, 3
	parts := [pointers]int{flatText(c.ID), flatText(c.Target), len(params)}
	words := 1 + dataWords + pointers
	for _, n := range parts {
		words += (n + 7) / 8
	}
	out := make([]byte, 8+8*words)
	le := binary.LittleEndian
	le.PutUint32(out[4:], uint32(words))
	root := out[8:]
	le.PutUint64(root, dataWords<<32|pointers<<48)
	data := root[8:]
	le.PutUint16(data, uint16(systemv1.CommandType(c.Type)))
	le.PutUint64(data[8:], uint64(nanos(c.Timestamp)))
	le.PutUint64(data[16:], uint64(nanos(c.Deadline)))
	le.PutUint64(data[24:], uint64(c.Timeout))
	pointer := data[8*dataWords:]
	next := pointer[8*pointers:]
	for i, n := range parts {
		if n == 0 {
			continue // a null pointer
		}
		// A list of bytes, at the distance in words between pointer and list.
		away := (len(pointer) - len(next)) / 8
		le.PutUint64(pointer[8*i:], uint64(uint32(away-i-1)<<2|1)|2<<32|uint64(n)<<35)
		switch i {
		case 0:
			copy(next, c.ID)
		case 1:
			copy(next, c.Target)
		case 2:
			copy(next, params)
		}
		next = next[(n+7)/8*8:]
	}
	return out
}

// flatText returns the length of a text with its final zero; empty is a null pointer.
func flatText(s string) int {
	if s == "" {
		return 0
	}
	return len(s) + 1
}

// flatReply reads a LifecycleReply in the layout that every known writer uses: one segment, its
// root first, its texts after it. ok is false for any other layout, which the library has to
// read.
func flatReply(b []byte) (r capsule.Reply, ok bool) {
	const dataWords, pointers = 3, 5
	le := binary.LittleEndian
	if len(b) < 16+8*(dataWords+pointers) || len(b)%8 != 0 || le.Uint32(b) != 0 || uint64(le.Uint32(b[4:]))*8 != uint64(len(b)-8) ||
		le.Uint64(b[8:]) != dataWords<<32|pointers<<48 {
		return r, false
	}
	data := b[16:]
	var texts [pointers]string
	for i := range texts {
		at := 8 * (dataWords + i)
		p := le.Uint64(data[at:])
		if p == 0 {
			continue
		}
		// A near list of bytes that begins after the struct and ends in a zero.
		away, n := int64(int32(uint32(p))>>2), int64(p>>35)
		from := int64(at) + 8 + 8*away
		if p&3 != 1 || p>>32&7 != 2 || n == 0 || from < 8*(dataWords+pointers) || from+n > int64(len(data)) || data[from+n-1] != 0 {
			return r, false
		}
		texts[i] = string(data[from : from+n-1])
	}
	return capsule.Reply{ID: texts[0], Code: capsule.ReplyCode(le.Uint16(data)), Message: texts[1], CapsuleID: texts[2], SnapshotCID: texts[3], Reason: texts[4],
		MemoryEpoch: le.Uint32(data[4:]), MemoryBytes: le.Uint64(data[8:]), Timestamp: instant(int64(le.Uint64(data[16:])))}, true
}
