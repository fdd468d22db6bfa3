package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"inos/internal/order"
)

// segment is one file of a log, and the state of all records before it. The log is its segments
// in order. Segments hold frames, whose offsets count from the log's first byte ever, whatever
// has been removed. The first segment ever is NAME.log and has no state. The names of later ones
// contain their start.
//
// The state's file is durable before the frames' file is made, and is removed after it. A state
// alone is what a crash left behind; frames without their state are damage.
type segment struct {
	base     int64  // offset of its first byte
	first    uint64 // index of its first record
	log      string // the frames' file
	state    string // the state's file, written like a checkpoint; empty for the first segment
	file     File
	stateOf  File
	stateLen int64
}

func segmentAt(name string, base int64, first uint64) segment {
	if base == 0 {
		return segment{log: name + ".log"}
	}
	stem := fmt.Sprintf("%s.%016x-%016x", name, base, first)
	return segment{base: base, first: first, log: stem + ".log", state: stem + ".base"}
}

// segmentNames finds the segments of the log called name in a folder's files, in order. litter
// lists the states that a crash left alone.
func segmentNames(files []string, name string) (found []segment, litter []string) {
	for _, file := range files {
		if file == name+".log" {
			found = append(found, segmentAt(name, 0, 0))
			continue
		}
		s, ok := parseSegment(file, name)
		if !ok {
			continue
		}
		if file == s.log {
			found = append(found, s)
		} else if !slices.Contains(files, s.log) {
			litter = append(litter, s.state)
		}
	}
	order.By(found, func(a, b segment) int { return cmp.Compare(a.base, b.base) })
	return found, litter
}

// parseSegment parses the names that segmentAt makes, and no others.
func parseSegment(file, name string) (s segment, ok bool) {
	rest, ok := strings.CutPrefix(file, name+".")
	if !ok || len(rest) < 33 {
		return s, false
	}
	base, err := strconv.ParseInt(rest[:16], 16, 64)
	first, failed := strconv.ParseUint(rest[17:33], 16, 64)
	if err != nil || failed != nil || base <= 0 {
		return s, false
	}
	s = segmentAt(name, base, first)
	return s, file == s.log || file == s.state
}

// open opens the segment's files with the function open, which makes missing ones.
func (s *segment) open(open func(name string) (File, error)) (err error) {
	if s.state != "" {
		if s.stateOf, err = open(s.state); err != nil {
			return err
		}
		if s.stateLen, err = s.stateOf.Size(); err != nil {
			return err
		}
	}
	s.file, err = open(s.log)
	return err
}

// load returns the state. Damage is a *Corruption.
func (s *segment) load() ([]byte, error) {
	if s.state == "" {
		return nil, nil
	}
	h, err := readCheck(s.stateOf)
	if err != nil {
		return nil, err
	}
	if h.state == nil || h.offset != s.base || h.next != s.first {
		return nil, &Corruption{s.state, 0, s.first, "the state at the segment's beginning does not verify"}
	}
	return h.state, nil
}

func (s *segment) close() error {
	var errs []error
	for _, f := range []File{s.file, s.stateOf} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	s.file, s.stateOf = nil, nil
	return errors.Join(errs...)
}

// joined checks that each segment ends where the next begins. size is that of the last one's
// file. litter lists files that were never written to: a segment whose making failed after its
// file was made, and the first segment that a program without segments made. A writer has to
// remove them before it makes another.
func joined(segments []segment) (whole []segment, size int64, litter []string, err error) {
	for i := range segments {
		s := &segments[i]
		if size, err = s.file.Size(); err != nil {
			return segments, 0, litter, err
		}
		if i+1 == len(segments) {
			break
		}
		next := &segments[i+1]
		want := next.base - s.base
		if size == want {
			continue
		}
		if i == 0 && s.state == "" && size == 0 {
			litter = append(litter, s.log)
			err = s.close()
			whole, size, more, failed := joined(segments[1:])
			return whole, size, append(litter, more...), errors.Join(err, failed)
		}
		if after, failed := next.file.Size(); failed != nil {
			return segments, 0, litter, failed
		} else if size > want && after == 0 && i+2 == len(segments) {
			litter = append(litter, next.log, next.state)
			err = next.close()
			return segments[:i+1], size, litter, err
		}
		return segments, 0, litter, &Corruption{s.log, min(size, want), next.first,
			fmt.Sprintf("it has %d bytes, the next file begins after %d", size, want)}
	}
	return segments, size, litter, nil
}
