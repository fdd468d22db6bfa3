package store

import (
	"errors"
	"fmt"
	"io"

	"inos/internal/fault"
)

// Errors of this package. ErrLocked is retryable when the other process has closed the
// directory, ErrSpace when there is space again, and ErrFailed when the error that it wraps is
// over. The others are final. A platform without durable storage returns errors.ErrUnsupported.
var (
	// ErrRefused: the browser has storage and gives none of it: in a private window, where site
	// data is blocked, or for a reason that it does not report.
	ErrRefused = fault.Internal("store: the browser refused")
	// ErrSpace: the disk, or what the browser allows this site of it, is full.
	ErrSpace   = fault.Internal("store: no space left: make room on the disk, or in what this browser stores, and try again")
	ErrLocked  = fault.Internal("store: another process or tab has this store open")
	ErrCorrupt = fault.Internal("store: damaged")
	ErrClosed  = fault.Internal("store: closed")
	ErrTooBig  = fault.Internal("store: record too big")
	ErrName    = fault.Internal("store: bad name")
	// ErrFailed: the write is not acknowledged. Earlier acknowledged writes stay.
	ErrFailed = fault.Internal("store: could not be written")
)

// Corruption is the place where a store is damaged. It matches ErrCorrupt.
type Corruption struct {
	File   string
	Offset int64  // of the damaged frame, in bytes
	Record uint64 // index of the first record that cannot be read
	Reason string
}

func (c *Corruption) Error() string {
	return fmt.Sprintf("%v: %s at byte %d (record %d): %s", ErrCorrupt, c.File, c.Offset, c.Record, c.Reason)
}

// Is reports whether target is ErrCorrupt.
func (c *Corruption) Is(target error) bool { return target == ErrCorrupt }

// File is random access to bytes. Not safe for concurrent use, except that ReadAt may run beside
// other calls. Writes are durable after Sync.
type File interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// writeAt writes all of b. It fails when a file reports any other length, even without an error.
func writeAt(f File, b []byte, off int64) error {
	n, err := f.WriteAt(b, off)
	if err == nil && n != len(b) {
		err = fmt.Errorf("store: wrote %d of %d bytes: %w", n, len(b), io.ErrShortWrite)
	}
	return err
}

// readAt reads all of b, which lies within the file's size. A shorter read is an error of the
// file and no damage to what is stored.
func readAt(f File, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("store: read %d of %d bytes: %w", n, len(b), err)
}

// Dir holds files by name. Open makes a missing file, whose name survives a crash once Open has
// returned. Names consist of a-z, 0-9, '-' and '.'.
type Dir interface {
	Open(name string) (File, error)
	Remove(name string) error // the file must be closed; a missing one is no error
	List() ([]string, error)  // the files' names, in any order
	Close() error             // releases the lock on the directory
}

func checkName(name string) error {
	if len(name) == 0 || len(name) > 64 || name[0] == '.' {
		return fmt.Errorf("%w: %.80q", ErrName, name)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return fmt.Errorf("%w: %.80q", ErrName, name)
		}
	}
	return nil
}
