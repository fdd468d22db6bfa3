package store

import (
	"errors"
	"io"

	"inos/internal/fault"
)

// ErrReadOnly: a View cannot be written to. Final.
var ErrReadOnly = fault.Internal("store: open for reading only")

// View is a log as it was when it was opened, to be read while another process writes
// it: a log only grows, and frames that are whole stay as they are. It has no checkpoint.
// Safe for concurrent use.
type View struct{ reach reach }

// openView reads how far the log goes that lies in segments, which it has from then on,
// where marked is the end mark read before they were looked for. A frame that is not whole
// yet ends it.
func openView(segments []segment, marked endMark) (*View, error) {
	v := &View{reach{segments: segments}}
	whole, size, _, err := joined(segments)
	if v.reach.segments = whole; err == nil {
		var stopped *halt
		if stopped, err = v.reach.settle(marked, size); stopped != nil && !stopped.last {
			err = &stopped.Corruption
		} else if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = nil // it has been cut meanwhile
		}
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// Len is Log.Len.
func (v *View) Len() uint64 { return v.reach.end.next }

// Replay is Log.Replay.
func (v *View) Replay(from uint64, base Base, fn func(record []byte) error) error {
	return v.reach.replay(0, 0, from, base, fn)
}

// Verify reads all that is kept. Damage is a *Corruption.
func (v *View) Verify() error { return v.reach.verify() }

// Append returns ErrReadOnly.
func (v *View) Append([][]byte) error { return ErrReadOnly }

// SaveCheckpoint returns ErrReadOnly.
func (v *View) SaveCheckpoint(uint64, []byte) error { return ErrReadOnly }

// LoadCheckpoint finds none.
func (v *View) LoadCheckpoint() (uint64, []byte, error) { return 0, nil, nil }

// Budget says that it needs no checkpoint.
func (v *View) Budget() (between int64, over bool) { return 0, false }

// Close closes the files.
func (v *View) Close() error { return closeAll(v.reach.segments) }
