package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"runtime"
	"slices"
)

// Kinds of records in a KV's log: the first byte of a record, before its fields.
const (
	kvPut    = 'p' // u32 key length, key, value
	kvDelete = 'd' // key
	kvStart  = 's' // u64 number: first record of a takeover
	kvWhole  = 'w' // the contents are complete
)

// kvRecord is the size of a kvPut besides key and value, in bytes.
const kvRecord = 4 + 1 + 4

// readKV returns the contents of a log, and number 0 when they are not complete.
func readKV(l *Log) (number uint64, data map[string][]byte, err error) {
	data = make(map[string][]byte)
	whole, started := false, uint64(0)
	err = l.Replay(0, nil, func(r []byte) error {
		if len(r) == 0 {
			return fmt.Errorf("%w: empty record in a key-value log", ErrCorrupt)
		}
		switch body := r[1:]; {
		case r[0] == kvPut && len(body) >= 4:
			n := int(binary.LittleEndian.Uint32(body))
			if n > len(body)-4 {
				return fmt.Errorf("%w: key longer than its record", ErrCorrupt)
			}
			data[string(body[4:4+n])] = slices.Clone(body[4+n:])
		case r[0] == kvDelete:
			delete(data, string(body))
		case r[0] == kvStart && len(body) == 8:
			started = binary.LittleEndian.Uint64(body)
		case r[0] == kvWhole && started > 0:
			whole = true
		default:
			return fmt.Errorf("%w: unknown record %q in a key-value log", ErrCorrupt, r[0])
		}
		return nil
	})
	if !whole {
		started = 0
	}
	return started, data, err
}

// takeover writes the contents to the other log and continues there. A failed takeover may leave
// contents there that look complete and newer. Until they are removed nothing more is written,
// since the next opening would lose it.
func (kv *KV) takeover(contents map[string][]byte) error {
	next := kv.logs[1-kv.current]
	kv.rival = true
	if err := next.Reset(); err != nil {
		return err
	}
	batch := [][]byte{binary.LittleEndian.AppendUint64([]byte{kvStart}, kv.number+1)}
	size := 0
	for _, k := range slices.Sorted(maps.Keys(contents)) {
		r := putRecord(k, contents[k])
		if size += len(r) + 4; size > maxFrame/2 {
			if err := next.Append(batch); err != nil {
				return err
			}
			batch, size = nil, len(r)+4
		}
		batch = append(batch, r)
	}
	if err := next.Append(append(batch, []byte{kvWhole})); err != nil {
		return err
	}
	kv.current, kv.written, kv.rival = 1-kv.current, 0, false
	kv.number++
	return nil
}

func putRecord(key string, value []byte) []byte {
	r := make([]byte, 0, 5+len(key)+len(value))
	r = binary.LittleEndian.AppendUint32(append(r, kvPut), uint32(len(key)))
	return append(append(r, key...), value...)
}

// kvBatch is the records that one write makes durable. The caller that opens a batch writes it,
// after the batch before; the others wait.
type kvBatch struct {
	records [][]byte
	undo    []kvUndo // by record
	bytes   int
	before  *kvBatch
	done    chan struct{}
	err     error
}

// kvUndo is a key's state before a change: value if had, otherwise absent.
type kvUndo struct {
	key string
	old []byte
	had bool
}

// join adds r to the open batch. The caller holds mu.
func (kv *KV) join(r []byte, undo kvUndo) (b *kvBatch, leads bool) {
	if b = kv.batch; b == nil || b.bytes+len(r)+4 > maxFrame {
		b, leads = &kvBatch{before: kv.last, done: make(chan struct{})}, true
		kv.batch, kv.last = b, b
	}
	b.records, b.undo = append(b.records, r), append(b.undo, undo)
	b.bytes += len(r) + 4
	return b, leads
}

// finish waits until b is durable.
func (kv *KV) finish(b *kvBatch, leads bool) error {
	if !leads {
		<-b.done
		return b.err
	}
	if b.before != nil {
		<-b.before.done
		b.before = nil
	}
	runtime.Gosched() // on js/wasm no other goroutine could join otherwise
	kv.mu.Lock()
	if kv.batch == b {
		kv.batch = nil
	}
	kv.mu.Unlock()
	if b.err = kv.write(b); b.err != nil {
		kv.mu.Lock()
		kv.revert(b)
		kv.mu.Unlock()
	} else {
		b.undo = nil
		if kv.written += b.bytes + frameHeader; kv.tidy(b) != nil {
			kv.written /= 2 // this log serves until a later batch tries again
		}
	}
	close(b.done)
	return b.err
}

// write appends b, after removing what a failed takeover left.
func (kv *KV) write(b *kvBatch) error {
	if kv.rival {
		if err := kv.logs[1-kv.current].Reset(); err != nil {
			return err
		}
		kv.rival = false
	}
	return kv.logs[kv.current].Append(b.records)
}

// revert takes the changes of b, which are not durable, out of the contents. When a batch that
// waits behind b has changed the same key again, that batch's undo takes the older value
// instead. The caller holds mu.
func (kv *KV) revert(b *kvBatch) {
	for _, u := range slices.Backward(b.undo) {
		var later *kvUndo // the first change of the key after b
		for w := kv.last; w != nil && w != b; w = w.before {
			if i := slices.IndexFunc(w.undo, func(o kvUndo) bool { return o.key == u.key }); i >= 0 {
				later = &w.undo[i]
			}
		}
		if later != nil {
			later.old, later.had = u.old, u.had
			continue
		}
		if now, ok := kv.data[u.key]; ok {
			kv.bytes -= len(u.key) + len(now)
			delete(kv.data, u.key)
		}
		if u.had {
			kv.data[u.key] = u.old
			kv.bytes += len(u.key) + len(u.old)
		}
	}
}

// tidy starts the takeover by the other log when this one has grown to several times the
// contents. The contents exclude what waits behind b, which may still be refused.
func (kv *KV) tidy(b *kvBatch) error {
	kv.mu.Lock()
	if kv.written < 1<<20+2*kv.bytes {
		kv.mu.Unlock()
		return nil
	}
	contents := maps.Clone(kv.data)
	for w := kv.last; w != nil && w != b; w = w.before {
		for _, u := range slices.Backward(w.undo) {
			if delete(contents, u.key); u.had {
				contents[u.key] = u.old
			}
		}
	}
	kv.mu.Unlock()
	return kv.takeover(contents)
}
