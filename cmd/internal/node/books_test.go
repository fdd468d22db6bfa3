//go:build !js

package node

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/kernel"
	"inos/internal/kernel/placement"
	"inos/internal/payment"
)

// disk refuses what is written to it while it is full.
type disk struct{ full atomic.Bool }

func (d *disk) write() error {
	if d.full.Load() {
		return syscall.ENOSPC
	}
	return nil
}

type logOn struct {
	credit.MemoryLog
	*disk
}

func (l *logOn) Append(records [][]byte) error {
	if err := l.write(); err != nil {
		return err
	}
	return l.MemoryLog.Append(records)
}

// keeperOn is a payment.Keeper.
type keeperOn struct {
	*disk
	mu   sync.Mutex
	data map[string][]byte
}

func (k *keeperOn) Get(key string) ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.data[key]
	return v, ok
}

func (k *keeperOn) Put(key string, value []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write(); err != nil {
		return err
	}
	k.data[key] = slices.Clone(value)
	return nil
}

func (k *keeperOn) Delete(key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write(); err != nil {
		return err
	}
	delete(k.data, key)
	return nil
}

func (k *keeperOn) Keys(prefix string) (out []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key := range k.data {
		if strings.HasPrefix(key, prefix) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

var _ payment.Keeper = (*keeperOn)(nil)

// A node whose ledger, or whose store of proofs, cannot be written offers no slots, says so
// once, and is back once both can, though nobody asks it for anything.
func TestANodeThatCannotWriteItsBooksOffersNothing(t *testing.T) {
	for name, which := range map[string]int{"ledger": 0, "proofs": 1} {
		t.Run(name, func(t *testing.T) {
			log, keep := &logOn{disk: &disk{}}, &keeperOn{disk: &disk{}, data: make(map[string][]byte)}
			on := []*disk{log.disk, keep.disk}[which]
			home := start(t, 91, nil)
			far := start(t, 92, func(c *Config) { c.Log, c.Keep = log, keep })
			events, cancel := far.Kernel.Subscribe(1024)
			defer cancel()
			require.NoError(t, home.Kernel.Join(t.Context(), home.mesh, far.mesh.Addrs()))
			offers := func(slots uint32) {
				t.Helper()
				require.Eventually(t, func() bool {
					nodes, err := home.Kernel.Nodes(t.Context())
					require.NoError(t, err)
					return slices.ContainsFunc(nodes, func(n placement.NodeInfo) bool {
						return n.Profile.Peer == far.mesh.Self() && n.Profile.FreeSlots == slots
					})
				}, time.Minute, 10*time.Millisecond)
			}
			offers(2)
			for range 2 {
				on.full.Store(true)
				far.save() // as it does each minute
				_ = far.Ledger.Grant(home.Signer.Ledger(), 1, time.Now())
				_ = far.Ledger.OpenAccount(far.Signer.Ledger(), 1_000_000, time.Now())
				e := changed(events)
				require.ErrorIs(t, e.Err, syscall.ENOSPC)
				offers(0)
				st, err := far.Kernel.Status(t.Context())
				require.NoError(t, err)
				require.ErrorIs(t, st.Unwritable, syscall.ENOSPC)
				on.full.Store(false)
				require.NoError(t, changed(events).Err, "and nothing between")
				offers(2)
			}
			require.Empty(t, keep.Keys(roomKey))
		})
	}
}

// changed waits for the next word of the books.
func changed(events <-chan kernel.Event) kernel.BooksChanged {
	for e := range events {
		if b, ok := e.(kernel.BooksChanged); ok {
			return b
		}
	}
	panic("the subscription has ended")
}
