//go:build unix

package wazero

import "syscall"

// reserve maps bytes of zeros that take no memory until they are touched.
func reserve(bytes uint64) ([]byte, error) {
	return syscall.Mmap(-1, 0, int(bytes), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

func unreserve(b []byte) {
	// Nothing can be done about a failure, and none is known.
	_ = syscall.Munmap(b)
}
