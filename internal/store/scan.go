package store

import (
	"fmt"
	"io"

	"inos/internal/fault"
)

// ErrGone: the requested records have been removed from the log. Final.
var ErrGone = fault.Internal("store: records are asked for that have been let go")

// Base receives the state of the records before first, where a segment begins. Calling state
// reads it. Records before the first such call have been removed.
type Base = func(first uint64, state func() ([]byte, error)) error

// readEnds returns the newer of the two end marks in f, and how many do not verify.
func readEnds(f File) (end endMark, bad int, err error) {
	var b [2 * endSlot]byte
	size, err := f.Size()
	if err != nil {
		return end, 0, err
	}
	n := int(min(size, 2*endSlot))
	if err := readAt(f, b[:n], 0); err != nil {
		return end, 0, err
	}
	for i := range 2 {
		slot := b[i*endSlot : (i+1)*endSlot]
		if n < (i+1)*endSlot {
			break
		}
		if m, ok := decodeEnd(slot); !ok {
			if [endSlot]byte(slot) != [endSlot]byte{} {
				bad++
			}
		} else if m.generation >= end.generation {
			end = m
		}
	}
	return end, bad, nil
}

// mark writes the end mark. It becomes durable with the next sync of its file: in
// SaveCheckpoint, Close and opening. A mark that lags means a longer scan, and that damage to
// the newest frame is taken for a torn write.
func (l *Log) mark() error {
	l.end.generation++
	return writeAt(l.ends, l.end.encode(), int64(l.end.generation%2)*endSlot)
}

// reach is a log's segments and the end up to which they are read.
type reach struct {
	segments []segment
	end      endMark
}

// halt is where reading stopped before the end, and why.
type halt struct {
	Corruption
	last bool // in the newest segment, whose end a crash may have torn
}

// settle sets the end of r to e, a log's end mark, and to the whole frames after it: those were
// written, and perhaps acknowledged, before the mark was. size is that of the newest segment's
// file.
func (r *reach) settle(e endMark, size int64) (*halt, error) {
	first, newest := &r.segments[0], &r.segments[len(r.segments)-1]
	limit := newest.base + size
	if r.end = e; e.offset > limit {
		return nil, &Corruption{newest.log, size, newest.first,
			fmt.Sprintf("%d bytes were acknowledged, the log has %d", e.offset, limit)}
	}
	if e.offset < first.base { // both marks are damaged, or were not durable
		r.end.offset, r.end.next = first.base, first.first
	}
	all := reach{r.segments, endMark{offset: limit}}
	return all.frames(r.end.offset, r.end.next, nil, func(f frameHead, _ []byte, end int64) error {
		r.end.offset, r.end.next = end, f.first+uint64(f.records)
		return nil
	})
}

// frames reads the frames from offset on, the first record of which is next. It calls enter,
// which may be nil, with each segment that begins there and fn with each whole frame. Payloads
// are valid during the call. The halt is nil when it reached the end.
func (r *reach) frames(offset int64, next uint64, enter func(*segment) error,
	fn func(head frameHead, payload []byte, end int64) error) (*halt, error) {
	for i := range r.segments {
		s, limit := &r.segments[i], r.end.offset
		last := i+1 == len(r.segments)
		if !last {
			limit = min(limit, r.segments[i+1].base)
		}
		if enter != nil && s.base >= offset && s.base <= r.end.offset {
			if err := enter(s); err != nil {
				return nil, err
			}
		}
		if offset >= limit {
			continue
		}
		reason, err := s.frames(&offset, &next, limit, fn)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			return &halt{Corruption{s.log, offset - s.base, next, reason}, last}, nil
		}
	}
	return nil, nil
}

// frames moves offset and next past each whole frame.
func (s *segment) frames(offset *int64, next *uint64, limit int64, fn func(head frameHead, payload []byte, end int64) error) (reason string, err error) {
	r := newBuffered(io.NewSectionReader(s.file, *offset-s.base, limit-*offset), limit-*offset)
	var h [frameHeader]byte
	for *offset < limit {
		if limit-*offset < frameHeader {
			return "header is cut short", nil
		}
		if err := r.full(h[:]); err != nil {
			return "", err
		}
		head, reason := parseHead(h[:])
		if reason != "" {
			return reason, nil
		}
		if int64(head.length) > limit-*offset-frameHeader {
			return "payload is cut short", nil
		}
		payload, err := r.take(head.length)
		if err != nil {
			return "", err
		}
		if checksum(h[:20], payload) != head.sum {
			return "checksum does not match", nil
		}
		if head.first != *next {
			return fmt.Sprintf("frame starts at record %d, expected %d", head.first, *next), nil
		}
		end := *offset + frameHeader + int64(head.length)
		if err := fn(head, payload, end); err != nil {
			return "", err
		}
		*offset, *next = end, *next+uint64(head.records)
	}
	return "", nil
}

// replay calls fn with each record from index from on. offset and index are the start of a frame
// before it. base is as in Log.Replay.
func (r *reach) replay(offset int64, index, from uint64, base Base, fn func([]byte) error) error {
	if from < r.segments[0].first && base == nil {
		return fmt.Errorf("%w: record %d, the first that is kept is %d", ErrGone, from, r.segments[0].first)
	}
	for i := range r.segments { // start at a segment nearer to from
		if s := &r.segments[i]; (i == 0 || s.first <= from) && s.base > offset {
			offset, index = s.base, s.first
		}
	}
	enter := func(s *segment) error {
		if base == nil || s.state == "" || s.first <= from {
			return nil
		}
		return base(s.first, s.load)
	}
	stopped, err := r.frames(offset, index, enter, func(f frameHead, payload []byte, end int64) error {
		i := f.first
		reason, err := eachRecord(payload, f.records, func(b []byte) error {
			if i++; i <= from {
				return nil
			}
			return fn(b)
		})
		if reason != "" {
			s := r.holds(end - 1)
			return &Corruption{s.log, end - frameHeader - int64(f.length) - s.base, f.first, reason}
		}
		return err
	})
	if err == nil && stopped != nil {
		return &stopped.Corruption
	}
	return err
}

// holds returns the segment that contains the byte at offset.
func (r *reach) holds(offset int64) *segment {
	for i := len(r.segments) - 1; i > 0; i-- {
		if r.segments[i].base <= offset {
			return &r.segments[i]
		}
	}
	return &r.segments[0]
}

// frameAfter reports whether the newest segment, in a file of size bytes, has a whole frame
// anywhere from offset on. If so, what lies before that frame was not torn by the last write.
func (r *reach) frameAfter(offset, size int64) (bool, error) {
	s := &r.segments[len(r.segments)-1]
	offset -= s.base
	if size-offset < frameHeader {
		return false, nil
	}
	b := make([]byte, min(size-offset, 2*maxFrame))
	if err := readAt(s.file, b, offset); err != nil {
		return false, err
	}
	for i := 0; i+frameHeader <= len(b); i++ {
		if b[i] != byte(frameMagic&0xff) {
			continue
		}
		head, reason := parseHead(b[i:])
		if reason == "" && head.first >= r.end.next && head.length <= len(b)-i-frameHeader &&
			checksum(b[i:i+20], b[i+frameHeader:i+frameHeader+head.length]) == head.sum {
			return true, nil
		}
	}
	return false, nil
}
