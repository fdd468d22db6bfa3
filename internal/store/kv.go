package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"inos/internal/fault"
)

// Limits of a KV, which is held in memory whole.
const (
	MaxKey   = 512
	MaxValue = 1 << 20
	maxKV    = 32 << 20 // bytes of keys and values together
)

// ErrFull says that a KV would exceed its bound. Retryable after deletions.
var ErrFull = fault.Internal("store: key-value store is full")

// KV maps keys to small values, durably. It lives in memory and in one of two logs. When the log
// has grown to several times the contents, the contents are written to the other log, which then
// takes over. Safe for concurrent use. Put and Delete block until the change is durable. Get may
// see changes that are not durable yet.
type KV struct {
	// Used by the writing goroutine, one at a time.
	logs    [2]*Log
	current int
	number  uint64 // of the takeover
	written int    // since the takeover
	rival   bool   // the other log may hold contents with a higher number

	mu    sync.Mutex
	data  map[string][]byte
	bytes int      // of data
	batch *kvBatch // open for more records
	last  *kvBatch // newest, open or not
}

// OpenKV opens the store called name, and makes it if there is none.
func OpenKV(dir Dir, name string) (*KV, error) {
	kv := &KV{current: -1}
	for i := range kv.logs {
		l, found, err := OpenLog(dir, fmt.Sprintf("%s-%d", name, i))
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
			kv.written = int(found.Bytes)
		}
	}
	if kv.current < 0 {
		kv.data, kv.current = make(map[string][]byte), 1
		if err := kv.takeover(kv.data); err != nil {
			return nil, errors.Join(err, kv.Close())
		}
	}
	for k, v := range kv.data {
		kv.bytes += len(k) + len(v)
		kv.written -= len(k) + len(v) + kvRecord
	}
	kv.written = max(kv.written, 0)
	return kv, nil
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

// Put sets key to a copy of value. Concurrent calls share one write. Errors match ErrTooBig,
// ErrFull or ErrFailed and leave the key unchanged.
func (kv *KV) Put(key string, value []byte) error {
	if len(key) == 0 || len(key) > MaxKey || len(value) > MaxValue {
		return fmt.Errorf("%w: key of %d bytes, value of %d", ErrTooBig, len(key), len(value))
	}
	kv.mu.Lock()
	grown := kv.bytes + len(value)
	old, ok := kv.data[key]
	if ok {
		grown -= len(old)
	} else {
		grown += len(key)
	}
	if grown > maxKV {
		kv.mu.Unlock()
		return ErrFull
	}
	kv.data[key], kv.bytes = slices.Clone(value), grown
	b, leads := kv.join(putRecord(key, value), kvUndo{key, old, ok})
	kv.mu.Unlock()
	return kv.finish(b, leads)
}

// Delete removes key; a missing key is no error. Errors match ErrFailed and leave the key
// unchanged.
func (kv *KV) Delete(key string) error {
	kv.mu.Lock()
	old, ok := kv.data[key]
	if !ok {
		kv.mu.Unlock()
		return nil
	}
	delete(kv.data, key)
	kv.bytes -= len(key) + len(old)
	b, leads := kv.join(append([]byte{kvDelete}, key...), kvUndo{key, old, true})
	kv.mu.Unlock()
	return kv.finish(b, leads)
}

// Close waits for a write under way and closes both logs.
func (kv *KV) Close() error {
	kv.mu.Lock()
	b := kv.last
	kv.mu.Unlock()
	if b != nil {
		<-b.done
	}
	var errs []error
	for _, l := range kv.logs {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}
