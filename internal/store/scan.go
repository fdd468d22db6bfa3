package store

import (
	"fmt"
	"io"
)

// readEnds takes the newer of the two end marks.
func (l *Log) readEnds() (bad int, err error) {
	var b [2 * endSlot]byte
	size, err := l.ends.Size()
	if err != nil {
		return 0, err
	}
	n := int(min(size, 2*endSlot))
	if err := readAt(l.ends, b[:n], 0); err != nil {
		return 0, err
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
		} else if m.generation >= l.end.generation {
			l.end = m
		}
	}
	return bad, nil
}

// mark writes the end mark; it is durable with the next sync of its file, which
// SaveCheckpoint and Close do, and opening. A mark that lags means that more is scanned,
// and that damage to the newest frame is taken for a write that a crash tore.
func (l *Log) mark() error {
	l.end.generation++
	return writeAt(l.ends, l.end.encode(), int64(l.end.generation%2)*endSlot)
}

// scan reads frames from offset on and calls fn after each whole one. stop says
// why it ended before size, empty when it did not.
func (l *Log) scan(offset int64, next uint64, size int64, fn func(head frameHead, end int64)) (stop string, err error) {
	return l.frames(offset, next, size, func(f frameHead, _ []byte, end int64) error {
		fn(f, end)
		return nil
	})
}

// frames is scan with payloads, valid during the call.
func (l *Log) frames(offset int64, next uint64, size int64, fn func(head frameHead, payload []byte, end int64) error) (stop string, err error) {
	in := io.NewSectionReader(l.file, offset, size-offset)
	r := newBuffered(in)
	var h [frameHeader]byte
	for offset < size {
		if size-offset < frameHeader {
			return "header is cut short", nil
		}
		if err := r.full(h[:]); err != nil {
			return "", err
		}
		head, reason := parseHead(h[:])
		if reason != "" {
			return reason, nil
		}
		if int64(head.length) > size-offset-frameHeader {
			return "payload is cut short", nil
		}
		payload, err := r.take(head.length)
		if err != nil {
			return "", err
		}
		if checksum(h[:20], payload) != head.sum {
			return "checksum does not match", nil
		}
		if head.first != next {
			return fmt.Sprintf("frame starts at record %d, expected %d", head.first, next), nil
		}
		next += uint64(head.records)
		offset += frameHeader + int64(head.length)
		if err := fn(head, payload, offset); err != nil {
			return "", err
		}
	}
	return "", nil
}

// frameAfter looks for a whole frame anywhere from offset on: if there is one,
// what lies before it was not torn by the last write.
func (l *Log) frameAfter(offset, size int64) (bool, error) {
	if size-offset < frameHeader {
		return false, nil
	}
	b := make([]byte, min(size-offset, 2*maxFrame))
	if err := readAt(l.file, b, offset); err != nil {
		return false, err
	}
	for i := 0; i+frameHeader <= len(b); i++ {
		if b[i] != byte(frameMagic&0xff) {
			continue
		}
		head, reason := parseHead(b[i:])
		if reason == "" && head.first >= l.end.next && head.length <= len(b)-i-frameHeader &&
			checksum(b[i:i+20], b[i+frameHeader:i+frameHeader+head.length]) == head.sum {
			return true, nil
		}
	}
	return false, nil
}
