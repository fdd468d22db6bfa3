package store

import (
	"errors"
	"fmt"
	"io"
)

// Errors of this package. ErrLocked is retryable when the other holder has gone;
// the others are final. A platform without a durable place returns
// errors.ErrUnsupported.
var (
	ErrLocked  = errors.New("store: another process or tab has this store open")
	ErrCorrupt = errors.New("store: damaged")
	ErrClosed  = errors.New("store: closed")
	ErrTooBig  = errors.New("store: record too big")
	ErrName    = errors.New("store: bad name")
	// ErrFailed: a write failed before, so that nobody knows what is on the disk.
	// Open the store again.
	ErrFailed = errors.New("store: an earlier write failed")
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

// Dir holds files by name. Open makes the file if there is none; the name
// survives a crash once Open has returned. Names are of a-z, 0-9, '-' and '.'.
type Dir interface {
	Open(name string) (File, error)
	Remove(name string) error // of a closed file; none is no error
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
