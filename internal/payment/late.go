package payment

import (
	"errors"
	"time"

	"inos/internal/credit"
)

// ErrUndecided says that a job is still at work, or that its receipt is gone: the
// hold has to wait. Retryable.
var ErrUndecided = errors.New("payment: the voucher's fate is open")

const (
	receiptsKept = 4096
	lostAtMost   = 64
)

// issued is the newest receipts of this node's own work, for payers that did not
// get theirs.
type issued struct {
	of    map[credit.HoldID][]byte
	order []credit.HoldID
}

func (i *issued) add(id credit.HoldID, receipt []byte) {
	if i.of == nil {
		i.of = make(map[credit.HoldID][]byte)
	}
	if len(i.order) >= receiptsKept {
		delete(i.of, i.order[0])
		i.order = i.order[1:]
	}
	i.of[id] = receipt
	i.order = append(i.order, id)
}

// Lost returns holds of vouchers that went to other nodes and of whose jobs nobody
// here will hear: those of a run before, and those past their job's deadline.
func (p *Purse) Lost(now time.Time) []credit.Held {
	var out []credit.Held
	for _, h := range p.ledger.Holds() {
		if h.ID.Ledger != p.wallet.Ledger() || h.Payee == "" || h.Payee == p.wallet.Peer() {
			continue
		}
		p.mu.Lock()
		of, known := p.promised[promise{h.JobID, h.Payee}]
		p.mu.Unlock()
		if known && of.hold == h.ID && now.Before(h.Expires.Add(-settling)) {
			continue // its job may be in hand
		}
		if out = append(out, h); len(out) == lostAtMost {
			break
		}
	}
	return out
}

// Denied refunds a hold whose payee says that it has not earned it.
func (p *Purse) Denied(h credit.Held, now time.Time) {
	p.forget(promise{h.JobID, h.Payee})
	_ = p.ledger.Refund(h.ID, now)
}

// Answer is what a payer that asks after its voucher is told: the receipt, nothing
// when there is none and never will be, or ErrUndecided.
func (p *Purse) Answer(id credit.HoldID) ([]byte, error) {
	p.mu.Lock()
	receipt := p.issued.of[id]
	p.mu.Unlock()
	if receipt != nil {
		return receipt, nil
	}
	switch p.ledger.Fate(id) {
	case credit.FateHeld, credit.FateSettled: // at work, or the receipt is forgotten
		return nil, ErrUndecided
	}
	return nil, nil
}
