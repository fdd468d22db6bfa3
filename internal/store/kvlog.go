package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"runtime"
	"slices"
)

// The records of a KV's log: a byte for what it is, then its fields.
const (
	kvPut    = 'p' // u32 key length, key, value
	kvDelete = 'd' // key
	kvStart  = 's' // u64 number: first record of a takeover
	kvWhole  = 'w' // the contents are complete
)

// readKV returns number 0 for a log without complete contents.
func readKV(l *Log) (number uint64, data map[string][]byte, err error) {
	data = make(map[string][]byte)
	whole, started := false, uint64(0)
	err = l.Replay(0, func(r []byte) error {
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

// takeover writes the contents to the other log and goes on there.
func (kv *KV) takeover() error {
	next := kv.logs[1-kv.current]
	if err := next.Reset(); err != nil {
		return err
	}
	batch := [][]byte{binary.LittleEndian.AppendUint64([]byte{kvStart}, kv.number+1)}
	size := 0
	for _, k := range slices.Sorted(maps.Keys(kv.data)) {
		r := putRecord(k, kv.data[k])
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
	kv.current, kv.written = 1-kv.current, 0
	kv.number++
	return nil
}

func putRecord(key string, value []byte) []byte {
	r := make([]byte, 0, 5+len(key)+len(value))
	r = binary.LittleEndian.AppendUint32(append(r, kvPut), uint32(len(key)))
	return append(append(r, key...), value...)
}

// kvBatch is the records that one write makes durable. Whoever opens it writes it,
// after the batch before; the others wait.
type kvBatch struct {
	records [][]byte
	bytes   int
	before  *kvBatch
	done    chan struct{}
	err     error
}

// join puts r in the open batch. The caller holds mu.
func (kv *KV) join(r []byte) (b *kvBatch, leads bool) {
	if b = kv.batch; b == nil || b.bytes+len(r)+4 > maxFrame {
		b, leads = &kvBatch{before: kv.last, done: make(chan struct{})}, true
		kv.batch, kv.last = b, b
	}
	b.records = append(b.records, r)
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
	runtime.Gosched() // on js/wasm nobody else would ever get to join
	kv.mu.Lock()
	if kv.batch == b {
		kv.batch = nil
	}
	kv.mu.Unlock()
	b.err = kv.logs[kv.current].Append(b.records)
	if kv.written += b.bytes + frameHeader; b.err == nil {
		b.err = kv.tidy()
	}
	close(b.done)
	return b.err
}

// tidy starts the other log over when this one has grown to several times the
// contents. These may hold what waits for the next write: there it is written again.
func (kv *KV) tidy() error {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	if kv.written < 1<<20+2*kv.bytes {
		return nil
	}
	return kv.takeover()
}
