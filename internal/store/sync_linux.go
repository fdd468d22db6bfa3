package store

import (
	"os"
	"syscall"
)

// syncData leaves out what fdatasync(2) may: times, but not the length.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
