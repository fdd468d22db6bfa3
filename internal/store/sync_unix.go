//go:build !js && unix

package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile locks f exclusively for this process, until f is closed. Errors match ErrLocked.
func lockFile(f *os.File) error { return flock(f, syscall.LOCK_EX) }

// shareFile takes a shared lock on f, which excludes lockFile, until f is closed. Errors match
// ErrLocked.
func shareFile(f *os.File) error { return flock(f, syscall.LOCK_SH) }

func flock(f *os.File, how int) error {
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
