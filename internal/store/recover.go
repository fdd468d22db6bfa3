package store

import (
	"errors"
	"fmt"
)

// Recovery says what opening a log found.
type Recovery struct {
	Records uint64 // in the log
	Bytes   int64
	Cut     int64 // bytes at the end that were no whole frame and have been cut off
	Marks   int   // end marks that did not verify: 0, or 1 after a crash
	// Emptied are the checkpoint files that did not verify, because a crash tore the
	// last save or because they are damaged. They have been emptied: the other one, or
	// the log itself, says the same.
	Emptied []string
}

// OpenLog opens the log called name, or makes it. A torn tail is cut off: the write that
// a crash tore, unless the disk has damaged the newest frame since the last checkpoint,
// which looks the same. Errors match ErrCorrupt when a whole frame follows what is not
// whole; damage before the last end mark is found by Replay and Verify.
func OpenLog(dir Dir, name string) (*Log, Recovery, error) {
	l := &Log{dir: dir, name: name}
	r, err := l.open()
	if err != nil {
		return nil, r, errors.Join(err, l.Close())
	}
	return l, r, nil
}

func (l *Log) open() (r Recovery, err error) {
	if l.file, err = l.dir.Open(l.name + ".log"); err != nil {
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
	size, err := l.file.Size()
	if err != nil {
		return r, err
	}
	if r.Marks, err = l.readEnds(); err != nil {
		return r, err
	}
	if l.end.offset > size {
		return r, &Corruption{l.name + ".log", size, 0,
			fmt.Sprintf("%d bytes were acknowledged, the file has %d", l.end.offset, size)}
	}
	marked := l.end.offset
	// Whole frames after the mark count: they were written, and perhaps acknowledged,
	// before the mark was.
	stop, err := l.scan(l.end.offset, l.end.next, size, func(f frameHead, end int64) {
		l.end.offset, l.end.next = end, f.first+uint64(f.records)
	})
	if err != nil {
		return r, err
	}
	if stop != "" {
		if found, err := l.frameAfter(l.end.offset+1, size); err != nil {
			return r, err
		} else if found {
			return r, &Corruption{l.name + ".log", l.end.offset, l.end.next, stop}
		}
		r.Cut = size - l.end.offset
		if err = l.file.Truncate(l.end.offset); err != nil {
			return r, err
		}
		if err = l.file.Sync(); err != nil {
			return r, err
		}
	}
	if r.Cut > 0 || r.Marks > 0 || l.end.offset > marked {
		if err = errors.Join(l.mark(), l.ends.Sync()); err != nil {
			return r, err
		}
	}
	r.Records, r.Bytes = l.end.next, l.end.offset
	return r, nil
}
