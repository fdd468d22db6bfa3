package payment

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"inos/internal/credit"
	"inos/internal/order"
)

const (
	paidPrefix = "paid/" // and the number of one of paidKept slots, used in turn
	paidKept   = 1024
)

// keepReceipt stores the receipts of what this node has paid for, the newest paidKept.
func (p *Service) keepReceipt(receipt []byte) {
	if p.keep == nil {
		return
	}
	p.mu.Lock()
	p.paid++
	n := p.paid
	p.mu.Unlock()
	// The payment stands in the ledger even when its receipt cannot be stored.
	_ = p.keep.Put(fmt.Sprintf("%s%04d", paidPrefix, n%paidKept), append(binary.BigEndian.AppendUint64(nil, n), receipt...))
}

// Receipts reads the receipts of what this node has paid for, oldest first, and checks each
// signature. Errors match ErrProof or credit.ErrSignature.
func Receipts(keep Store, codec credit.Codec) ([]credit.KeptReceipt, error) {
	kept, _, err := paidReceipts(keep)
	if err != nil {
		return nil, err
	}
	out := make([]credit.KeptReceipt, len(kept))
	for i, signed := range kept {
		if out[i].Receipt, _, err = codec.OpenReceipt(signed); err != nil {
			return nil, err
		}
		out[i].Signed = signed
	}
	return out, nil
}

// paidReceipts returns the signed receipts, oldest first, and how many there have been in all.
func paidReceipts(keep Store) (receipts [][]byte, last uint64, err error) {
	type numbered struct {
		n      uint64
		signed []byte
	}
	var all []numbered
	for _, key := range keep.Keys(paidPrefix) {
		b, _ := keep.Get(key)
		if len(b) < 8 {
			return nil, 0, fmt.Errorf("%w: %q", ErrProof, key)
		}
		all = append(all, numbered{binary.BigEndian.Uint64(b), b[8:]})
	}
	order.By(all, func(a, b numbered) int { return cmp.Compare(a.n, b.n) })
	for _, x := range all {
		receipts, last = append(receipts, x.signed), x.n
	}
	return receipts, last, nil
}
