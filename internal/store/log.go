package store

import (
	"errors"
	"fmt"
	"sync"
)

// Log is a durable sequence of records with one checkpoint. Safe for concurrent use. Append
// blocks until the records are durable. A log with a Bound removes its oldest records.
type Log struct {
	dir  Dir
	name string

	mu sync.Mutex
	reach
	ends    File
	check   checkpoints
	budget  int64    // bytes; 0: no bound
	readers int      // readers of a reach without mu; no segment is removed meanwhile
	litter  []string // files to remove before another segment is begun
	scratch []byte
	failed  error
}

// Append adds records as one frame: a crash keeps all of them or none. A failed Append adds
// nothing; its error matches ErrFailed and the cause. What it may have written is removed at
// once or, when that fails too, before the next write or read, so the log works again as soon as
// the disk does.
func (l *Log) Append(records [][]byte) error {
	if len(records) == 0 {
		return nil
	}
	total := 0
	for _, r := range records {
		if len(r) > MaxRecord {
			return fmt.Errorf("%w: %d bytes, at most %d", ErrTooBig, len(r), MaxRecord)
		}
		total += 4 + len(r)
	}
	if total > maxFrame {
		return fmt.Errorf("%w: %d bytes in one write, at most %d", ErrTooBig, total, maxFrame)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.repair(); err != nil {
		return err
	}
	l.scratch = appendFrame(l.scratch[:0], l.end.next, records)
	err := l.write(l.scratch, len(records))
	if err != nil {
		err = l.fail(err)
		_ = l.repair() // retried before the next write
		return err
	}
	if cap(l.scratch) > 1<<20 {
		l.scratch = nil
	}
	return nil
}

func (l *Log) write(frame []byte, records int) error {
	s := l.newest()
	if err := writeAt(s.file, frame, l.end.offset-s.base); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	before := l.end
	l.end.offset += int64(len(frame))
	l.end.next += uint64(records)
	if err := l.mark(); err != nil {
		l.end.offset, l.end.next = before.offset, before.next
		return err
	}
	return nil
}

// fail records that the files may hold more than l.end says.
func (l *Log) fail(err error) error {
	l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	return l.failed
}

// repair cuts the files back to what has been acknowledged, after a failed write; otherwise it
// does nothing. The caller holds mu.
func (l *Log) repair() error {
	if l.failed == nil || !errors.Is(l.failed, ErrFailed) {
		return l.failed
	}
	// Both marks first: neither may cover what is cut.
	err := errors.Join(l.mark(), l.mark())
	if err == nil {
		err = l.ends.Sync()
	}
	if err == nil {
		err = l.newest().file.Truncate(l.end.offset - l.newest().base)
	}
	if err == nil {
		err = l.newest().file.Sync()
	}
	if err != nil {
		return l.fail(err)
	}
	l.failed = nil
	return nil
}

// Len returns the number of records, including removed ones.
func (l *Log) Len() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end.next
}

// Replay calls fn with each record from index from on, as of the call. The slice is valid during
// the call only. An error of fn ends Replay and is returned. Damage is a *Corruption. When from
// is where the checkpoint starts, earlier records are skipped unread. Replay calls base where a
// segment after from begins, before its records. When records at or after from have been
// removed, that call comes first; if base is nil then, the error matches ErrGone.
func (l *Log) Replay(from uint64, base Base, fn func(record []byte) error) error {
	l.mu.Lock()
	failed := l.repair()
	r := l.hold()
	offset, index := l.check.start(from)
	l.mu.Unlock()
	defer l.release()
	if failed != nil {
		return failed
	}
	if index == from && offset > r.end.offset {
		newest := r.newest()
		return &Corruption{newest.log, r.end.offset - newest.base, r.end.next, "the checkpoint is ahead of the log"}
	}
	return r.replay(offset, index, from, base, fn)
}

// Read is Replay of the acknowledged records. It writes nothing, so it works while nothing can
// be written.
func (l *Log) Read(from uint64, base Base, fn func(record []byte) error) error {
	r, err := l.acknowledged()
	defer l.release()
	if err != nil {
		return err
	}
	return r.replay(0, 0, from, base, fn)
}

// acknowledged holds a reach up to the log's end, without what a failed write has left behind
// it.
func (l *Log) acknowledged() (reach, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.hold()
	if l.failed != nil && !errors.Is(l.failed, ErrFailed) {
		return r, l.failed
	}
	return r, nil
}

// Verify reads all kept records and the checkpoint, and writes nothing. Damage is a *Corruption.
func (l *Log) Verify() error {
	r, err := l.acknowledged()
	defer l.release()
	if err != nil {
		return err
	}
	if err := l.check.verify(); err != nil {
		return err
	}
	return r.verify()
}

// SaveCheckpoint stores state as the sum of the first next records, durably and in place of the
// checkpoint before. A crash or an error leaves one of the two. An error in removing old
// segments leaves the new one, and the next call tries again. next is at most Len, and the end
// of an Append. Records before the checkpoint may be removed: see Bound.
func (l *Log) SaveCheckpoint(next uint64, state []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.repair(); err != nil {
		return err
	}
	if next != l.end.next {
		return fmt.Errorf("store: checkpoint of %d records, the log has %d", next, l.end.next)
	}
	// The mark first: records that a checkpoint covers were acknowledged and have to stay so.
	if err := l.ends.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	err := l.check.save(next, l.end.offset, state)
	if err == nil {
		err = l.makeRoom(state)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return nil
}

// Reset empties the log. A crash during Reset leaves the log empty or with some of its first
// records, so callers must be able to tell old from new. Reset keeps checkpoints; a log that is
// reset should have none, and no bound.
func (l *Log) Reset() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil && !errors.Is(l.failed, ErrFailed) {
		return l.failed
	}
	if len(l.segments) > 1 || l.segments[0].base > 0 {
		return fmt.Errorf("store: a log in several files cannot be reset")
	}
	// repair cuts the files to nothing when nothing is acknowledged.
	l.end.offset, l.end.next, l.failed = 0, 0, ErrFailed
	return l.repair()
}

// LoadCheckpoint returns the newest checkpoint, nil state when there is none.
func (l *Log) LoadCheckpoint() (next uint64, state []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next, state, err = l.check.load()
	if err == nil && len(l.segments) > 0 && next < l.segments[0].first {
		return 0, nil, nil // the records after it have been removed
	}
	return next, state, err
}

// Close makes the end mark durable and closes the files.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if l.ends != nil && l.failed == nil {
		errs = append(errs, l.ends.Sync())
	}
	if l.ends != nil {
		errs = append(errs, l.ends.Close())
	}
	errs = append(errs, closeAll(l.segments))
	l.ends = nil
	if l.failed == nil {
		l.failed = ErrClosed
	}
	return errors.Join(append(errs, l.check.close())...)
}
