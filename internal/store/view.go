package store

import (
	"errors"
	"fmt"
	"io"
)

// ErrReadOnly: a View cannot be written to. Final.
var ErrReadOnly = errors.New("store: open for reading only")

// View is a log as it was when it was opened, to be read while another process writes
// it: a log only grows, and frames that are whole stay as they are. It has no checkpoint.
// Safe for concurrent use.
type View struct{ log *Log }

// openView reads how far the log goes that lies in file, with its end marks in ends,
// which may be nil. It has both from then on. A frame that is not whole yet ends it.
func openView(name string, file, ends File) (*View, error) {
	l := &Log{name: name, file: file, ends: ends}
	v := &View{l}
	if ends != nil {
		if _, err := l.readEnds(); err != nil {
			return nil, errors.Join(err, v.Close())
		}
	}
	size, err := file.Size() // after the marks, which speak of what is there
	if err == nil && l.end.offset > size {
		err = &Corruption{l.name + ".log", size, 0, fmt.Sprintf("%d bytes were acknowledged, the file has %d", l.end.offset, size)}
	}
	if err == nil {
		_, err = l.scan(l.end.offset, l.end.next, size, func(f frameHead, end int64) {
			l.end.offset, l.end.next = end, f.first+uint64(f.records)
		})
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = nil // it has been cut meanwhile
		}
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// Len is the number of records.
func (v *View) Len() uint64 { return v.log.end.next }

// Replay is Log.Replay.
func (v *View) Replay(from uint64, fn func(record []byte) error) error {
	return v.log.replay(0, 0, from, v.log.end, fn)
}

// Verify reads the whole log. Damage is a *Corruption.
func (v *View) Verify() error { return v.Replay(0, func([]byte) error { return nil }) }

// Append returns ErrReadOnly.
func (v *View) Append([][]byte) error { return ErrReadOnly }

// SaveCheckpoint returns ErrReadOnly.
func (v *View) SaveCheckpoint(uint64, []byte) error { return ErrReadOnly }

// LoadCheckpoint finds none.
func (v *View) LoadCheckpoint() (uint64, []byte, error) { return 0, nil, nil }

// Close closes the files.
func (v *View) Close() error {
	err := v.log.file.Close()
	if v.log.ends != nil {
		err = errors.Join(err, v.log.ends.Close())
	}
	return err
}
