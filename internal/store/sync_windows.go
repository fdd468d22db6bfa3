package store

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

const (
	failImmediately = 1
	exclusiveLock   = 2
	lockViolation   = syscall.Errno(33) // ERROR_LOCK_VIOLATION
)

// lockFile locks the first byte exclusively for this process, until the file is closed
// (LockFileEx). Errors match ErrLocked.
func lockFile(f *os.File) error { return lockByte(f, exclusiveLock) }

// shareFile takes a shared lock on the first byte, which excludes lockFile.
func shareFile(f *os.File) error { return lockByte(f, 0) }

func lockByte(f *os.File, how uintptr) error {
	var at syscall.Overlapped
	ok, _, err := lockFileEx.Call(f.Fd(), how|failImmediately, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	if ok != 0 {
		return nil
	}
	if errors.Is(err, lockViolation) {
		return ErrLocked
	}
	return os.NewSyscallError("LockFileEx", err)
}

// syncDir does nothing: Windows journals names, and has no flush for a directory.
func syncDir(string) error { return nil }

func syncData(f *os.File) error { return f.Sync() }
