//go:build !js

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"inos/internal/fault"
)

// OpenView opens the log called name in the folder path for reading, whether or not another
// process has the folder open. It changes nothing. Errors match fs.ErrNotExist when there is no
// such log.
func OpenView(path, name string) (*View, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	for range 10 { // a segment may be removed between listing and opening
		v, err := openViewOnce(path, name)
		if !errors.Is(err, errListed) {
			return v, err
		}
	}
	return nil, fmt.Errorf("%w: files of %s keep being let go: try again", ErrFailed, name)
}

var errListed = fault.Internal("store: a file that was listed has gone")

func openViewOnce(path, name string) (*View, error) {
	// The marks first: the files found afterwards contain what the marks cover.
	var marked endMark
	ends, err := os.Open(filepath.Join(path, name+".end"))
	if err == nil {
		marked, _, err = readEnds(osFile{ends})
		err = errors.Join(err, ends.Close())
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	segments, err := findSegments(path, name)
	if err != nil {
		return nil, err
	}
	for i := range segments {
		if err := segments[i].open(func(file string) (File, error) {
			f, err := os.Open(filepath.Join(path, file))
			if errors.Is(err, fs.ErrNotExist) {
				return nil, errListed
			} else if err != nil {
				return nil, fmt.Errorf("store: %w", err)
			}
			return osFile{f}, nil
		}); err != nil {
			return nil, errors.Join(err, closeAll(segments))
		}
	}
	return openView(segments, marked)
}
