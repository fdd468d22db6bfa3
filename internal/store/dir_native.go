//go:build !js

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lockName is the file that is locked for the directory.
const lockName = "lock"

// OpenDir opens path, made with mode 0700 if there is none, and holds a lock on it until Close
// or the end of the process. Errors match ErrLocked when another process has it.
func OpenDir(path string) (Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := lockFile(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &osDir{path: path, lock: lock}, nil
}

type osDir struct {
	path string
	lock *os.File
}

func (d *osDir) Open(name string) (File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	path := filepath.Join(d.path, name)
	_, missing := os.Stat(path)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if missing != nil {
		// A new file's name is durable only after its directory is flushed.
		if err := flushDir(d.path); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return osFile{f}, nil
}

func (d *osDir) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(d.path, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	return flushDir(d.path)
}

func (d *osDir) List() ([]string, error) { return listFolder(d.path) }

func listFolder(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (d *osDir) Close() error { return d.lock.Close() }

// flush and flushDir are variables so that a test can see the calls.
var flush, flushDir = syncData, syncDir

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Sync() error { return flush(f.File) }
