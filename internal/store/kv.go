package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Limits of a KV: it is read into memory whole.
const (
	MaxKey   = 512
	MaxValue = 1 << 20
	maxKV    = 32 << 20 // bytes of keys and values together
)

// ErrFull says that a KV would grow past its bound. Retryable after deletions.
var ErrFull = errors.New("store: key-value store is full")

// KV maps keys to small values, durably. It lives in memory and in one of two
// logs; when the log has grown to several times the contents, the contents are
// written to the other one, which then takes over. Safe for concurrent use; Put
// and Delete block until the disk has them.
type KV struct {
	mu      sync.Mutex
	logs    [2]*Log
	current int
	number  uint64 // of the takeover
	data    map[string][]byte
	bytes   int // of data
	written int // since the takeover
}

// The records of a KV's log: a byte for what it is, then its fields.
const (
	kvPut    = 'p' // u32 key length, key, value
	kvDelete = 'd' // key
	kvStart  = 's' // u64 number: first record of a takeover
	kvWhole  = 'w' // the contents are complete
)

// OpenKV opens the store called name, or makes it.
func OpenKV(dir Dir, name string) (*KV, error) {
	kv := &KV{current: -1}
	for i := range kv.logs {
		l, _, err := OpenLog(dir, fmt.Sprintf("%s-%d", name, i))
		if err != nil {
			return nil, errors.Join(err, kv.Close())
		}
		kv.logs[i] = l
		number, data, err := readKV(l)
		if err != nil {
			return nil, errors.Join(err, kv.Close())
		}
		if number > kv.number {
			kv.number, kv.data, kv.current = number, data, i
		}
	}
	if kv.current < 0 {
		kv.data, kv.current = make(map[string][]byte), 1
		if err := kv.takeover(); err != nil {
			return nil, errors.Join(err, kv.Close())
		}
	}
	for k, v := range kv.data {
		kv.bytes += len(k) + len(v)
	}
	return kv, nil
}

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

// Get returns a copy of key's value, false when there is none.
func (kv *KV) Get(key string) ([]byte, bool) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	v, ok := kv.data[key]
	return slices.Clone(v), ok
}

// Keys returns the keys that start with prefix, sorted.
func (kv *KV) Keys(prefix string) []string {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	var out []string
	for k := range kv.data {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// Put sets key to a copy of value. Errors match ErrTooBig, ErrFull or ErrFailed.
func (kv *KV) Put(key string, value []byte) error {
	if len(key) == 0 || len(key) > MaxKey || len(value) > MaxValue {
		return fmt.Errorf("%w: key of %d bytes, value of %d", ErrTooBig, len(key), len(value))
	}
	kv.mu.Lock()
	defer kv.mu.Unlock()
	grown := kv.bytes + len(value)
	if old, ok := kv.data[key]; ok {
		grown -= len(old)
	} else {
		grown += len(key)
	}
	if grown > maxKV {
		return ErrFull
	}
	r := putRecord(key, value)
	if err := kv.append(r); err != nil {
		return err
	}
	kv.data[key], kv.bytes = slices.Clone(value), grown
	return kv.tidy(len(r))
}

// Delete removes key; none is no error.
func (kv *KV) Delete(key string) error {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	old, ok := kv.data[key]
	if !ok {
		return nil
	}
	r := append([]byte{kvDelete}, key...)
	if err := kv.append(r); err != nil {
		return err
	}
	delete(kv.data, key)
	kv.bytes -= len(key) + len(old)
	return kv.tidy(len(r))
}

func (kv *KV) append(r []byte) error { return kv.logs[kv.current].Append([][]byte{r}) }

func (kv *KV) tidy(written int) error {
	if kv.written += written + frameHeader; kv.written < 1<<20+2*kv.bytes {
		return nil
	}
	return kv.takeover()
}

// Close closes both logs.
func (kv *KV) Close() error {
	var errs []error
	for _, l := range kv.logs {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}
