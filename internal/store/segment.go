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

// segment is one file of a log, and the state that all records before it add up to. The
// log is its segments in order: what they hold are frames, and where each lies counts from
// the log's first byte ever, whatever has been let go. The first segment ever is NAME.log
// and has no state; a later one's names hold where it begins.
//
// The state's file is durable before the frames' file is made, and is removed after it: a
// state alone is what a crash left behind, frames without theirs are damage.
type segment struct {
	base     int64  // offset of its first byte
	first    uint64 // index of its first record
	log      string // the frames' file
	state    string // the state's file, written like a checkpoint; empty: nothing came before
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

// segmentNames finds the segments of the log called name in a folder's files, in order,
// without the states that a crash left alone: those are litter.
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

// parseSegment reads what segmentAt wrote, and nothing else.
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

// open opens the segment's files, which open makes where they are missing.
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

// joined checks that each segment ends where the next begins. size is that of the last
// one's file. litter are files that were never written to: a segment whose making failed
// after its file was there, and what a program that knows no segments made for the first.
// A writer has to remove them before it makes another.
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
