package payment

import (
	"errors"
	"time"

	"inos/internal/credit"
)

// ErrUndecided says that a job is still at work, or that its receipt is gone: the
// hold has to wait. Retryable.
var ErrUndecided = errors.New("payment: the voucher's fate is open")

const lostAtMost = 64

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
	switch p.ledger.Fate(id) {
	case credit.FateHeld:
		return nil, ErrUndecided
	case credit.FateSettled:
		p.mu.Lock()
		defer p.mu.Unlock()
		if x := p.proofs.of[id]; x != nil {
			return x.Receipt, nil
		}
		return nil, ErrUndecided // it has been crowded out
	}
	return nil, nil
}
