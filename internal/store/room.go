package store

import (
	"errors"
	"slices"
)

// LeastBudget is the smallest budget, in bytes, that Bound can keep for Appends of any size.
const LeastBudget = 8 << 20

// Shares of a budget. A segment is begun at the first checkpoint after the last one holds 1/8.
// Checkpoints come at least every 1/4. After each at most 5/8 is in use, and the last 1/8 is for
// an Append beyond that.
const (
	segmentShare = 8
	betweenShare = 4
)

func keptOf(budget int64) int64 { return budget - budget/betweenShare - budget/segmentShare }

// Bound limits the log to budget bytes of disk; 0 keeps everything. With each checkpoint the
// oldest segments that lie before the previous checkpoint are removed. The limit holds as long
// as checkpoints are saved as often as Budget says and two states take at most 3/8 of it. When
// they are larger, the log takes 5/8 and them. The two checkpoints themselves come on top.
func (l *Log) Bound(budget int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.budget = budget
}

// Budget returns how many bytes of records may lie between two checkpoints (0: any number), and
// whether the log exceeds its bound, so that two checkpoints should be saved at once.
func (l *Log) Budget() (between int64, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.budget / betweenShare, l.budget > 0 && l.size() > l.budget
}

// size returns the bytes that the segments take on disk.
func (l *Log) size() int64 {
	n := l.end.offset - l.segments[0].base
	for i := range l.segments {
		n += l.segments[i].stateLen
	}
	return n
}

func (r *reach) newest() *segment { return &r.segments[len(r.segments)-1] }

// hold returns what can be read and keeps it until release. The caller holds mu.
func (l *Log) hold() reach {
	l.readers++
	return reach{slices.Clone(l.segments), l.end}
}

// release ends a hold, and removes the segments whose removal waited for it.
func (l *Log) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers--
	if l.failed == nil {
		_ = l.trim() // or with the next checkpoint
	}
}

// makeRoom begins a new segment if the newest is full, at the checkpoint of state that has just
// been saved, and removes old ones. The caller holds mu.
func (l *Log) makeRoom(state []byte) error {
	if l.budget == 0 {
		return nil
	}
	if l.end.offset-l.newest().base >= l.budget/segmentShare {
		if err := l.begin(state); err != nil {
			return err
		}
	}
	return l.trim()
}

// begin makes a new segment. Leftovers of a failure are removed at once or before the next
// attempt. Meanwhile the log continues in the segment before, by which joined recognizes the
// leftovers.
func (l *Log) begin(state []byte) error {
	if err := l.sweep(); err != nil {
		return err
	}
	s := segmentAt(l.name, l.end.offset, l.end.next)
	err := l.writeState(&s, state)
	if err == nil {
		s.file, err = l.dir.Open(s.log)
	}
	if err != nil {
		l.litter = append(l.litter, s.log, s.state)
		return errors.Join(err, s.close(), l.sweep())
	}
	l.segments = append(l.segments, s)
	return nil
}

func (l *Log) writeState(s *segment, state []byte) (err error) {
	if s.stateOf, err = l.dir.Open(s.state); err != nil {
		return err
	}
	b := checkpointOf(1, s.first, s.base, state)
	s.stateLen = int64(len(b))
	if err = writeAt(s.stateOf, b, 0); err != nil {
		return err
	}
	return s.stateOf.Sync()
}

// trim removes the oldest segments that lie before both checkpoints. The caller holds mu.
func (l *Log) trim() error {
	if l.budget == 0 || l.readers > 0 {
		return nil
	}
	if err := l.sweep(); err != nil {
		return err
	}
	for len(l.segments) > 1 && l.size() > keptOf(l.budget) && l.segments[1].base <= l.check.older() {
		gone := l.segments[0]
		l.segments = slices.Clone(l.segments[1:])
		l.litter = append(l.litter, gone.log)
		if gone.state != "" {
			l.litter = append(l.litter, gone.state)
		}
		if err := errors.Join(gone.close(), l.sweep()); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the litter files, in order. The caller holds mu, or opens the log.
func (l *Log) sweep() error {
	for len(l.litter) > 0 {
		if err := l.dir.Remove(l.litter[0]); err != nil {
			return err
		}
		l.litter = l.litter[1:]
	}
	return nil
}

// verify reads all of r, and each state.
func (r *reach) verify() error {
	for i := range r.segments {
		if _, err := r.segments[i].load(); err != nil {
			return err
		}
	}
	return r.replay(0, 0, 0, func(uint64, func() ([]byte, error)) error { return nil }, func([]byte) error { return nil })
}

func closeAll(segments []segment) error {
	var errs []error
	for i := range segments {
		errs = append(errs, segments[i].close())
	}
	return errors.Join(errs...)
}
