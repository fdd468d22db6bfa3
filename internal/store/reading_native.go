//go:build !js

package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// OpenReading opens the folder path for reading and changes nothing in it. What opening a log
// would write, a cut torn tail or a mark, stays in memory until Close. Others may read at the
// same time. Nobody can open the folder for writing until Close. Errors match fs.ErrNotExist
// when there is no such folder or no process ever opened it with OpenDir, and ErrLocked when one
// has it open.
func OpenReading(path string) (Dir, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("store: %s is no folder", path)
	}
	lock, err := os.Open(filepath.Join(path, lockName))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := shareFile(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &readingDir{path: path, lock: lock}, nil
}

// Readable is a log for reading, as of when it was opened or as it grows. Its Append and
// SaveCheckpoint write nothing to disk.
type Readable interface {
	Len() uint64
	Replay(from uint64, base Base, fn func(record []byte) error) error
	Verify() error
	Budget() (between int64, over bool)
	Append(records [][]byte) error
	SaveCheckpoint(next uint64, state []byte) error
	LoadCheckpoint() (next uint64, state []byte, err error)
	Close() error
}

// ReadLog opens the log called name in the folder path for reading, and changes nothing there.
// running says that another process has the folder open: log is then a View, without the
// checkpoint, and found is empty. Otherwise found says what opening it for writing would repair.
// Errors match fs.ErrNotExist when there is no such log, and ErrCorrupt.
func ReadLog(path, name string) (log Readable, found Recovery, running bool, err error) {
	dir, err := OpenReading(path)
	if errors.Is(err, ErrLocked) {
		v, err := OpenView(path, name)
		return v, found, true, err
	}
	if err != nil {
		return nil, found, false, err
	}
	if err := HasLog(path, name); err != nil {
		return nil, found, false, errors.Join(err, dir.Close())
	}
	l, found, err := OpenLog(dir, name)
	if err != nil {
		return nil, found, false, errors.Join(err, dir.Close())
	}
	return &readLog{l, dir}, found, false, nil
}

// HasLog returns nil when the folder path has the log called name. Errors match fs.ErrNotExist
// when it has none.
func HasLog(path, name string) error {
	_, err := findSegments(path, name)
	return err
}

func findSegments(path, name string) ([]segment, error) {
	files, err := listFolder(path)
	if err != nil {
		return nil, err
	}
	found, _ := segmentNames(files, name)
	if len(found) == 0 {
		return nil, fmt.Errorf("store: no log %s in %s: %w", name, path, fs.ErrNotExist)
	}
	return found, nil
}

// readLog is a log that closes its folder too.
type readLog struct {
	*Log
	dir Dir
}

func (l *readLog) Close() error { return errors.Join(l.Log.Close(), l.dir.Close()) }

type readingDir struct {
	path string
	lock *os.File
}

// Open opens a file, or an empty one in memory when it does not exist.
func (d *readingDir) Open(name string) (File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(d.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return &readingFile{changed: true}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), f.Close())
	}
	return &readingFile{file: f, size: info.Size()}, nil
}

// List returns the names of the existing files.
func (d *readingDir) List() ([]string, error) { return listFolder(d.path) }

// Remove returns ErrReadOnly.
func (d *readingDir) Remove(string) error { return ErrReadOnly }

func (d *readingDir) Close() error { return d.lock.Close() }

// readingFile is the first size bytes of a file. The first write copies it into memory. That is
// affordable: a log only truncates its own file, which may be large, and writes only to its end
// marks, which are small.
type readingFile struct {
	file    *os.File // nil: it does not exist
	size    int64
	changed bool
	memory  []byte
}

func (f *readingFile) ReadAt(p []byte, off int64) (int, error) {
	if !f.changed {
		return io.NewSectionReader(f.file, 0, f.size).ReadAt(p, off)
	}
	if off < 0 || off >= int64(len(f.memory)) {
		return 0, io.EOF
	}
	n := copy(p, f.memory[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *readingFile) WriteAt(p []byte, off int64) (int, error) {
	if !f.changed {
		f.memory = make([]byte, f.size)
		if _, err := f.file.ReadAt(f.memory, 0); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		f.changed = true
	}
	if end := off + int64(len(p)); end > int64(len(f.memory)) {
		f.memory = append(f.memory, make([]byte, end-int64(len(f.memory)))...)
	}
	return copy(f.memory[off:], p), nil
}

func (f *readingFile) Truncate(size int64) error {
	switch {
	case !f.changed && size <= f.size:
		f.size = size
	case f.changed && size <= int64(len(f.memory)):
		f.memory = f.memory[:size]
	default:
		return ErrReadOnly // no caller extends a file
	}
	return nil
}

func (f *readingFile) Size() (int64, error) {
	if f.changed {
		return int64(len(f.memory)), nil
	}
	return f.size, nil
}

func (f *readingFile) Sync() error { return nil }

func (f *readingFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
