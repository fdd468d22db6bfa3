package store

import (
	"errors"
	"fmt"
	"sync"
)

// Log is a durable sequence of records with one checkpoint. Safe for concurrent
// use; Append blocks until the disk has the records.
type Log struct {
	dir  Dir
	name string

	mu      sync.Mutex
	file    File
	ends    File
	end     endMark
	check   checkpoints
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
	if err := writeAt(l.file, frame, l.end.offset); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
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
		err = l.file.Truncate(l.end.offset)
	}
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return l.fail(err)
	}
	l.failed = nil
	return nil
}

// Len is the number of records.
func (l *Log) Len() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end.next
}

// Replay calls fn with each record from index from on, as of the call. The slice
// is valid during the call; an error of fn ends it and is returned. Damage is a
// *Corruption. Records before the checkpoint are skipped without reading when
// from is where the checkpoint starts.
func (l *Log) Replay(from uint64, fn func(record []byte) error) error {
	l.mu.Lock()
	failed := l.repair()
	end := l.end
	offset, index := l.check.start(from)
	l.mu.Unlock()
	if failed != nil {
		return failed
	}
	if index == from && offset > end.offset {
		return &Corruption{l.name + ".log", end.offset, end.next, "the checkpoint is ahead of the log"}
	}
	return l.replay(offset, index, from, end, fn)
}

// Read is Replay of what has been acknowledged. It writes nothing, so that it works
// while nothing can be written.
func (l *Log) Read(from uint64, fn func(record []byte) error) error {
	end, err := l.acknowledged()
	if err != nil {
		return err
	}
	return l.replay(0, 0, from, end, fn)
}

// acknowledged is where the log ends, whatever a write that failed has left behind it.
func (l *Log) acknowledged() (endMark, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil && !errors.Is(l.failed, ErrFailed) {
		return l.end, l.failed
	}
	return l.end, nil
}

// Verify reads the whole log and the checkpoint, and writes nothing. Damage is a
// *Corruption.
func (l *Log) Verify() error {
	end, err := l.acknowledged()
	if err != nil {
		return err
	}
	if err := l.check.verify(); err != nil {
		return err
	}
	return l.replay(0, 0, 0, end, func([]byte) error { return nil })
}

func (l *Log) replay(offset int64, index, from uint64, end endMark, fn func([]byte) error) error {
	at := offset
	stop, err := l.frames(offset, index, end.offset, func(f frameHead, payload []byte, next int64) error {
		i := f.first
		reason, err := eachRecord(payload, f.records, func(r []byte) error {
			if i++; i <= from {
				return nil
			}
			return fn(r)
		})
		if reason != "" {
			return &Corruption{l.name + ".log", at, f.first, reason}
		}
		at, index = next, f.first+uint64(f.records)
		return err
	})
	if err == nil && stop != "" {
		return &Corruption{l.name + ".log", at, index, stop}
	}
	return err
}

// SaveCheckpoint keeps state as what the first next records add up to, durably
// and in place of the checkpoint before; a crash leaves one of the two, and so does an
// error. next is at most Len, and the end of an Append.
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
	if err := l.check.save(next, l.end.offset, state); err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return nil
}

// Reset empties the log. A crash during it leaves a log that is empty or starts
// with records that were in it: callers that reset must tell old from new.
// Checkpoints stay; a log that is reset should not have any.
func (l *Log) Reset() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil && !errors.Is(l.failed, ErrFailed) {
		return l.failed
	}
	// What repair does is what is needed, with nothing acknowledged.
	l.end.offset, l.end.next, l.failed = 0, 0, ErrFailed
	return l.repair()
}

// LoadCheckpoint returns the newest checkpoint, nil state when there is none.
func (l *Log) LoadCheckpoint() (next uint64, state []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.check.load()
}

// Close makes the end mark durable and closes the files.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if l.ends != nil && l.failed == nil {
		errs = append(errs, l.ends.Sync())
	}
	for _, f := range []File{l.file, l.ends} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	l.file, l.ends = nil, nil
	if l.failed == nil {
		l.failed = ErrClosed
	}
	return errors.Join(append(errs, l.check.close())...)
}
