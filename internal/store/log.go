package store

import (
	"errors"
	"fmt"
	"sync"
)

// Log is a durable sequence of records with one checkpoint. Safe for concurrent
// use; Append blocks until the disk has the records. One that is Bound lets its oldest
// records go.
type Log struct {
	dir  Dir
	name string

	mu sync.Mutex
	reach
	ends    File
	check   checkpoints
	budget  int64    // in bytes; 0: none
	readers int      // of reach, without mu: nothing goes meanwhile
	litter  []string // files to be removed before another segment is begun
	scratch []byte
	failed  error
}

// Append adds records as one frame: after a crash all of them are there or none. One that
// fails, matching ErrFailed and what failed, adds nothing: what of it may have reached the
// file is taken off again, at once or, where that fails too, before the next write or
// read. So the log goes on as soon as the disk does.
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
		_ = l.repair() // tried again before the next write
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

// fail notes that the files may hold more than l.end says.
func (l *Log) fail(err error) error {
	l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	return l.failed
}

// repair makes the files say again what has been acknowledged, after a write that
// failed; otherwise it does nothing. The caller holds mu.
func (l *Log) repair() error {
	if l.failed == nil || !errors.Is(l.failed, ErrFailed) {
		return l.failed
	}
	// The marks first, both: none may speak of what goes.
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

// Len is the number of records, those let go among them.
func (l *Log) Len() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end.next
}

// Replay calls fn with each record from index from on, as of the call. The slice
// is valid during the call; an error of fn ends it and is returned. Damage is a
// *Corruption. Records before the checkpoint are skipped without reading when
// from is where the checkpoint starts. base is called where a segment after from begins,
// before the records there: first of all, when records from from on have been let go. If it
// is nil then, the error matches ErrGone.
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

// Read is Replay of what has been acknowledged. It writes nothing, so that it works
// while nothing can be written.
func (l *Log) Read(from uint64, base Base, fn func(record []byte) error) error {
	r, err := l.acknowledged()
	defer l.release()
	if err != nil {
		return err
	}
	return r.replay(0, 0, from, base, fn)
}

// acknowledged holds what there is up to where the log ends, whatever a write that failed
// has left behind it.
func (l *Log) acknowledged() (reach, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.hold()
	if l.failed != nil && !errors.Is(l.failed, ErrFailed) {
		return r, l.failed
	}
	return r, nil
}

// Verify reads all that is kept, and the checkpoint, and writes nothing. Damage is a
// *Corruption.
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

// SaveCheckpoint keeps state as what the first next records add up to, durably
// and in place of the checkpoint before; a crash leaves one of the two, and so does an
// error, unless it is one of making room, which the next call does. next is at most Len,
// and the end of an Append. What is kept before the checkpoint may be let go: see Bound.
func (l *Log) SaveCheckpoint(next uint64, state []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.repair(); err != nil {
		return err
	}
	if next != l.end.next {
		return fmt.Errorf("store: checkpoint of %d records, the log has %d", next, l.end.next)
	}
	// The mark first: what a checkpoint adds up was acknowledged, and stays so.
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

// Reset empties the log. A crash during it leaves a log that is empty or starts
// with records that were in it: callers that reset must tell old from new.
// Checkpoints stay; a log that is reset should not have any, and not be bound.
func (l *Log) Reset() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil && !errors.Is(l.failed, ErrFailed) {
		return l.failed
	}
	if len(l.segments) > 1 || l.segments[0].base > 0 {
		return fmt.Errorf("store: a log in several files cannot be reset")
	}
	// What repair does is what is needed, with nothing acknowledged.
	l.end.offset, l.end.next, l.failed = 0, 0, ErrFailed
	return l.repair()
}

// LoadCheckpoint returns the newest checkpoint, nil state when there is none.
func (l *Log) LoadCheckpoint() (next uint64, state []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next, state, err = l.check.load()
	if err == nil && len(l.segments) > 0 && next < l.segments[0].first {
		return 0, nil, nil // what follows it has been let go
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
