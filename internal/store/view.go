package store

import (
	"errors"
	"io"

	"inos/internal/fault"
)

// ErrReadOnly: a View cannot be written to. Final.
var ErrReadOnly = fault.Internal("store: open for reading only")

// View is a log as it was when it was opened. Another process may write the log meanwhile: a log
// only grows, and whole frames stay as they are. A View has no checkpoint. Safe for concurrent
// use.
type View struct{ reach reach }

// openView finds the end of the log in segments, which it owns from then on. marked is the end
// mark read before the segments were listed. The view ends before the first frame that is not
// whole.
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

// Verify reads all kept records. Damage is a *Corruption.
func (v *View) Verify() error { return v.reach.verify() }

// Append returns ErrReadOnly.
func (v *View) Append([][]byte) error { return ErrReadOnly }

// SaveCheckpoint returns ErrReadOnly.
func (v *View) SaveCheckpoint(uint64, []byte) error { return ErrReadOnly }

// LoadCheckpoint returns none.
func (v *View) LoadCheckpoint() (uint64, []byte, error) { return 0, nil, nil }

// Budget returns no limit, since a View saves no checkpoints.
func (v *View) Budget() (between int64, over bool) { return 0, false }

// Close closes the files.
func (v *View) Close() error { return closeAll(v.reach.segments) }
