package wazero

import "sync/atomic"

// budget is bytes that are taken before they are used. It is safe for concurrent use.
type budget struct {
	most  uint64 // 0: without bound
	taken atomic.Uint64
}

// take reports whether n bytes more could be had; the caller gives them back.
func (b *budget) take(n uint64) bool {
	for {
		now := b.taken.Load()
		if b.most != 0 && (now > b.most || n > b.most-now) {
			return false
		}
		if b.taken.CompareAndSwap(now, now+n) {
			return true
		}
	}
}

func (b *budget) give(n uint64) { b.taken.Add(-n) }
