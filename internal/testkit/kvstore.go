package testkit

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// KVStore is a payment.Store in memory. The zero value is empty; it is safe for concurrent
// use.
type KVStore struct {
	// Before and After, which may be nil, are called around each Put: a test that panics
	// there is a crash before or after the write.
	Before, After func()

	mu     sync.Mutex
	data   map[string]string
	failed error
}

// Get returns a copy.
func (k *KVStore) Get(key string) ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.data[key]
	return []byte(v), ok
}

// Put keeps a copy of value.
func (k *KVStore) Put(key string, value []byte) error {
	if k.Before != nil {
		k.Before()
	}
	if err := k.change(func() { k.data[key] = string(value) }); err != nil {
		return err
	}
	if k.After != nil {
		k.After()
	}
	return nil
}

// Delete removes key, if it is there.
func (k *KVStore) Delete(key string) error { return k.change(func() { delete(k.data, key) }) }

func (k *KVStore) change(f func()) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed != nil {
		return k.failed
	}
	if k.data == nil {
		k.data = make(map[string]string)
	}
	f()
	return nil
}

// Keys lists the keys with prefix, sorted.
func (k *KVStore) Keys(prefix string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(k.data)), func(key string) bool { return !strings.HasPrefix(key, prefix) })
}

// Fail has every Put and Delete fail with err, until Fail(nil).
func (k *KVStore) Fail(err error) {
	k.mu.Lock()
	k.failed = err
	k.mu.Unlock()
}

// Clone is a KVStore with the same values.
func (k *KVStore) Clone() *KVStore { return &KVStore{data: k.Values()} }

// Values is a copy of what is kept.
func (k *KVStore) Values() map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.data)
}
