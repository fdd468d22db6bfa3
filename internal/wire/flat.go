package wire

import (
	"encoding/binary"

	"inos/internal/capsule"
	systemv1 "inos/schema/system/v1"
)

// flatCommand writes a LifecycleCmd as the library would: one segment, three
// words of data, three pointers, then what they point at. It is a tenth of the
// library's time in a browser, where a command's time counts. A test holds the
// two together.
func flatCommand(c capsule.Command, params []byte) []byte {
	const dataWords, pointers = 3, 3
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
	pointer := data[8*dataWords:]
	next := pointer[8*pointers:]
	for i, n := range parts {
		if n == 0 {
			continue // a null pointer
		}
		// A list of bytes, as many words away as lie between pointer and list.
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

// flatText is the length of a text with its final zero; empty is a null pointer.
func flatText(s string) int {
	if s == "" {
		return 0
	}
	return len(s) + 1
}
