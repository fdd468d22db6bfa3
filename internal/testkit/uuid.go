package testkit

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
)

var uuids atomic.Uint64

// UUID is a UUIDv7 that no other call in this process returns.
func UUID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[8:], uuids.Add(1))
	b[6], b[8] = 0x70, 0x80|b[8]&0x3f
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
