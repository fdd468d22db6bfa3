package credit

import (
	"container/heap"
	"crypto/sha256"
	"time"
)

// remember is how long after its end a hold's fate is kept when its voucher expired earlier.
const remember = time.Minute

// usedKey is a shortened holdKey: the first half of its SHA-256. A collision takes some 2^64
// vouchers.
type usedKey [16]byte

func (hk holdKey) used() usedKey {
	var in [len(hk.ledger) + len(hk.nonce)]byte
	copy(in[copy(in[:], hk.ledger[:]):], hk.nonce[:])
	sum := sha256.Sum256(in[:])
	return usedKey(sum[:16])
}

// usedVouchers is the set of used vouchers, each remembered for as long as it could be used
// again, in some 50 bytes. They are grouped by the second in which they may be forgotten.
type usedVouchers struct {
	of     map[usedKey]outcome
	by     map[int64][]usedKey
	order  seconds
	before int64 // Unix nanoseconds by the clock as it was; some that expired up to then are forgotten
}

func newUsedVouchers() usedVouchers {
	return usedVouchers{of: make(map[usedKey]outcome), by: make(map[int64][]usedKey)}
}

// add remembers k until the second of until, in Unix nanoseconds, has passed.
func (s *usedVouchers) add(k usedKey, end outcome, until int64) {
	s.of[k] = end
	s.list(k, until/int64(time.Second)+1)
}

func (s *usedVouchers) list(k usedKey, second int64) {
	list, known := s.by[second]
	if !known {
		heap.Push(&s.order, second)
	}
	s.by[second] = append(list, k)
}

// forget drops up to n that may be forgotten. From then on a voucher that expires no later is
// refused whatever the clock says, unless its owner brings it.
func (s *usedVouchers) forget(now int64, n int) {
	for ; n > 0 && len(s.order) > 0; n-- {
		second := s.order[0]
		end := second * int64(time.Second)
		if end >= now {
			return
		}
		list := s.by[second]
		last := len(list) - 1
		delete(s.of, list[last])
		s.before = max(s.before, end)
		if s.by[second] = list[:last]; last == 0 {
			delete(s.by, second)
			heap.Pop(&s.order)
		}
	}
}

// seconds implements heap.Interface, the soonest first.
type seconds []int64

func (h seconds) Len() int           { return len(h) }
func (h seconds) Less(i, j int) bool { return h[i] < h[j] }
func (h seconds) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *seconds) Push(x any)        { *h = append(*h, x.(int64)) }
func (h *seconds) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
