package store

import (
	"io"
	"maps"
	"slices"
	"sync"
)

// MemoryDir is a Dir in memory. Crash discards what no Sync made durable, as a power failure
// does. Safe for concurrent use.
type MemoryDir struct {
	mu    sync.Mutex
	files map[string]*memoryFile
	// Fault, when set, is called before every write, sync and truncate, before a file is made
	// ("make") or removed ("remove"), and after that ("made", "removed"). Its error is returned
	// instead of the operation's result. Set it before use.
	Fault func(name, operation string) error
}

type memoryFile struct {
	dir     *MemoryDir
	name    string
	now     []byte
	durable []byte
}

// NewMemoryDir returns an empty MemoryDir.
func NewMemoryDir() *MemoryDir { return &MemoryDir{files: make(map[string]*memoryFile)} }

// Open returns the file, empty at first.
func (d *MemoryDir) Open(name string) (File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	f := d.files[name]
	d.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f = &memoryFile{dir: d, name: name}
	err := d.change(name, "make", "made", func() { d.files[name] = f })
	if err != nil {
		return nil, err
	}
	return f, nil
}

// change calls do, unless Fault prevents it, and returns the error that Fault reports after it.
func (d *MemoryDir) change(name, before, after string, do func()) error {
	if d.Fault != nil {
		if err := d.Fault(name, before); err != nil {
			return err
		}
	}
	d.mu.Lock()
	do()
	d.mu.Unlock()
	if d.Fault != nil {
		return d.Fault(name, after)
	}
	return nil
}

// List returns the files' names.
func (d *MemoryDir) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.files)), nil
}

// Remove forgets a file.
func (d *MemoryDir) Remove(name string) error {
	return d.change(name, "remove", "removed", func() { delete(d.files, name) })
}

// Close does nothing: the files stay for the next Open.
func (d *MemoryDir) Close() error { return nil }

// Crash resets every file to its last Sync. When keep is not nil, a file gets the contents
// that keep returns for its name, its durable and its current contents.
func (d *MemoryDir) Crash(keep func(name string, durable, now []byte) []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.files {
		next := f.durable
		if keep != nil {
			next = keep(f.name, f.durable, f.now)
		}
		f.now = append([]byte(nil), next...)
		f.durable = append([]byte(nil), next...)
	}
}

// Bytes returns a file's contents themselves, so that a test can damage them; nil when there is
// no such file.
func (d *MemoryDir) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[name]; f != nil {
		return f.now
	}
	return nil
}

func (f *memoryFile) fault(operation string) error {
	if f.dir.Fault == nil {
		return nil
	}
	return f.dir.Fault(f.name, operation)
}

func (f *memoryFile) ReadAt(p []byte, off int64) (int, error) {
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	if off >= int64(len(f.now)) {
		return 0, io.EOF
	}
	n := copy(p, f.now[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fault("write"); err != nil {
		return 0, err
	}
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	if need := off + int64(len(p)); need > int64(len(f.now)) {
		f.now = append(f.now, make([]byte, need-int64(len(f.now)))...)
	}
	return copy(f.now[off:], p), nil
}

func (f *memoryFile) Size() (int64, error) {
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	return int64(len(f.now)), nil
}

func (f *memoryFile) Truncate(size int64) error {
	if err := f.fault("truncate"); err != nil {
		return err
	}
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	if size <= int64(len(f.now)) {
		f.now = f.now[:size:size]
	} else {
		f.now = append(f.now, make([]byte, size-int64(len(f.now)))...)
	}
	return nil
}

func (f *memoryFile) Sync() error {
	if err := f.fault("sync"); err != nil {
		return err
	}
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	f.durable = append(f.durable[:0], f.now...)
	return nil
}

func (f *memoryFile) Close() error { return nil }
