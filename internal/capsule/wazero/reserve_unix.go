//go:build unix

package wazero

import "syscall"

// reserve maps bytes of zeros that take no memory until they are touched.
func reserve(bytes uint64) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, int(bytes), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	reserved.Add(int64(len(b)))
	return b, err
}

func unreserve(b []byte) {
	// Nothing can be done about a failure, and none is known.
	if n := len(b); syscall.Munmap(b) == nil {
		reserved.Add(-int64(n))
	}
}
