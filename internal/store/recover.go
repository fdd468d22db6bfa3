package store

import (
	"errors"
	"slices"
)

// Recovery is what opening a log found.
type Recovery struct {
	Gone    uint64 // records removed before
	Records uint64 // in the log
	Bytes   int64
	Cut     int64 // bytes cut off at the end because they were no whole frame
	Marks   int   // end marks that did not verify: 0, or 1 after a crash
	// Emptied lists the checkpoint files that did not verify, because a crash tore the last save
	// or because they are damaged. They have been emptied; the other checkpoint, or the log
	// itself, holds the same facts.
	Emptied []string
}

// OpenLog opens the log called name, and makes it if there is none. It cuts off a torn tail.
// Damage to the newest frame since the last checkpoint looks like a torn write and is cut off
// too. Errors match ErrCorrupt when a whole frame follows a broken one. Replay and Verify find
// damage before the last end mark.
func OpenLog(dir Dir, name string) (*Log, Recovery, error) {
	l := &Log{dir: dir, name: name}
	r, err := l.open()
	if err != nil {
		return nil, r, errors.Join(err, l.Close())
	}
	return l, r, nil
}

func (l *Log) open() (r Recovery, err error) {
	size, err := l.openSegments()
	if err != nil {
		return r, err
	}
	if l.ends, err = l.dir.Open(l.name + ".end"); err != nil {
		return r, err
	}
	if err = l.check.open(l.dir, l.name); err != nil {
		return r, err
	}
	if r.Emptied, err = l.check.empty(); err != nil {
		return r, err
	}
	marked, bad, err := readEnds(l.ends)
	if r.Marks = bad; err != nil {
		return r, err
	}
	torn, err := l.settle(marked, size)
	if err != nil {
		return r, err
	}
	newest := l.newest().file
	if torn != nil {
		if !torn.last {
			return r, &torn.Corruption
		}
		if found, err := l.frameAfter(l.end.offset+1, size); err != nil {
			return r, err
		} else if found {
			return r, &torn.Corruption
		}
		cut := torn.Offset
		r.Cut = size - cut
		if err = newest.Truncate(cut); err != nil {
			return r, err
		}
	}
	if r.Cut > 0 || r.Marks > 0 || l.end.offset > marked.offset {
		// A killed process may have written a frame without flushing it. That frame counts from
		// now on, so it is made durable before a mark that covers it.
		if err = newest.Sync(); err != nil {
			return r, err
		}
		if err = errors.Join(l.mark(), l.ends.Sync()); err != nil {
			return r, err
		}
	}
	_ = l.sweep() // or before the next segment
	r.Gone, r.Records, r.Bytes = l.segments[0].first, l.end.next-l.segments[0].first, l.end.offset-l.segments[0].base
	return r, nil
}

// openSegments returns the size of the newest segment's file.
func (l *Log) openSegments() (size int64, err error) {
	files, err := l.dir.List()
	if err != nil {
		return 0, err
	}
	found, litter := segmentNames(files, l.name)
	if len(found) == 0 {
		found = []segment{segmentAt(l.name, 0, 0)}
	}
	l.segments = found
	for i := range found {
		if s := &found[i]; s.state != "" && !slices.Contains(files, s.state) {
			return 0, &Corruption{s.state, 0, s.first, "the state at a segment's beginning is missing"}
		}
		if err := found[i].open(l.dir.Open); err != nil {
			return 0, err
		}
	}
	whole, size, stray, err := joined(found)
	l.segments, l.litter = whole, append(litter, stray...)
	return size, err
}
