package store

import (
	"os"
	"syscall"
)

// syncData syncs contents and length, without the times, as fdatasync(2) allows.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
