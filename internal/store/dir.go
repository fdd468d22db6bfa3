package store

import (
	"errors"
	"fmt"
	"io"

	"inos/internal/fault"
)

// Errors of this package. ErrLocked is retryable when the other holder has gone, ErrSpace
// once there is room, ErrFailed when what it wraps is over; the others are final. A
// platform without a durable place returns errors.ErrUnsupported.
var (
	// ErrRefused: the browser has storage and gives none of it: in a private window, or
	// where site data is blocked, or for a reason that it keeps to itself.
	ErrRefused = fault.Internal("store: the browser refused")
	// ErrSpace: the disk, or what the browser allows this site of it, is full.
	ErrSpace   = fault.Internal("store: no space left: make room on the disk, or in what this browser stores, and try again")
	ErrLocked  = fault.Internal("store: another process or tab has this store open")
	ErrCorrupt = fault.Internal("store: damaged")
	ErrClosed  = fault.Internal("store: closed")
	ErrTooBig  = fault.Internal("store: record too big")
	ErrName    = fault.Internal("store: bad name")
	// ErrFailed: what was to be written is not acknowledged; what was before, stays.
	ErrFailed = fault.Internal("store: could not be written")
)

// Corruption says where a store is damaged. It matches ErrCorrupt.
type Corruption struct {
	File   string
	Offset int64  // of the damaged frame, in bytes
	Record uint64 // index of the first record that cannot be read
	Reason string
}

func (c *Corruption) Error() string {
	return fmt.Sprintf("%v: %s at byte %d (record %d): %s", ErrCorrupt, c.File, c.Offset, c.Record, c.Reason)
}

// Is matches ErrCorrupt.
func (c *Corruption) Is(target error) bool { return target == ErrCorrupt }

// File is random access to bytes. Not safe for concurrent use, except that
// ReadAt may run beside others. Writes are durable after Sync.
type File interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// writeAt writes all of b. A file that says it wrote less, or more, without an error has
// failed all the same.
func writeAt(f File, b []byte, off int64) error {
	n, err := f.WriteAt(b, off)
	if err == nil && n != len(b) {
		err = fmt.Errorf("store: wrote %d of %d bytes: %w", n, len(b), io.ErrShortWrite)
	}
	return err
}

// readAt reads all of b, which the file's size says is there: less is no damage to what
// is stored, and must not be taken for it.
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

// Dir holds files by name. Open makes the file if there is none; the name
// survives a crash once Open has returned. Names are of a-z, 0-9, '-' and '.'.
type Dir interface {
	Open(name string) (File, error)
	Remove(name string) error // of a closed file; none is no error
	List() ([]string, error)  // the files' names, in any order
	Close() error             // gives up the hold on the directory
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
