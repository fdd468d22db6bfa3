//go:build !js

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// OpenView opens the log called name in the folder path for reading, whether or not
// another process has the folder open. It changes nothing. Errors match fs.ErrNotExist
// when there is no such log.
func OpenView(path, name string) (*View, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	// The marks first: what they speak of is in the log by then.
	var ends File
	f, err := os.Open(filepath.Join(path, name+".end"))
	if err == nil {
		ends = osFile{f}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %w", err)
	}
	file, err := os.Open(filepath.Join(path, name+".log"))
	if err != nil {
		err = fmt.Errorf("store: %w", err)
		if ends != nil {
			err = errors.Join(err, ends.Close())
		}
		return nil, err
	}
	return openView(name, osFile{file}, ends)
}
