package payment

import (
	"time"

	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/identity"
)

// ErrUndecided says that a job is still at work, or that its receipt is gone: the
// hold has to wait. Retryable.
var ErrUndecided = fault.Internal("payment: the voucher's fate is open")

// Lost returns, by payee, holds of vouchers that went to other nodes and of whose jobs nobody
// here will hear: those of a run before, those whose attempt was given up, and those past
// their job's deadline. Of each payee's there are atMost, those first that expire first.
func (p *Service) Lost(now time.Time, atMost int) map[identity.PeerID][]credit.Held {
	out := make(map[identity.PeerID][]credit.Held)
	for _, h := range p.ledger.Holds() {
		if h.ID.Ledger != p.signer.Ledger() || h.Payee == "" || h.Payee == p.signer.Peer() {
			continue
		}
		p.mu.Lock()
		of, known := p.promised[promise{h.JobID, h.Payee}]
		p.mu.Unlock()
		if known && of.hold == h.ID && !of.over && now.Before(h.Expires.Add(-settling)) {
			continue // its job may be in hand
		}
		if of := out[h.Payee]; len(of) < atMost {
			out[h.Payee] = append(of, h)
		}
	}
	return out
}

// Denied refunds a hold whose payee says that it has not earned it.
func (p *Service) Denied(h credit.Held, now time.Time) {
	_ = p.release(h, now)
}

// Answer is what a payer that asks after its voucher is told: the receipt, nothing
// when there is none and never will be, or ErrUndecided. A voucher that is not known here
// is not taken any more once its payer has been told so.
func (p *Service) Answer(id credit.HoldID) ([]byte, error) {
	fate := p.ledger.Fate(id)
	if fate == credit.FateHeld {
		return nil, ErrUndecided
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// A receipt is kept for longer than the ledger remembers its voucher.
	if x := p.proofs.of[id]; x != nil {
		return x.Receipt, nil
	}
	switch fate {
	case credit.FateSettled:
		return nil, ErrUndecided // it has been crowded out
	case credit.FateUnknown:
		// It may have come in between: then Earn has looked before this was noted.
		if p.denied.add(id); p.ledger.Fate(id) != credit.FateUnknown {
			return nil, ErrUndecided // better a hold that waits than work that nobody pays for
		}
	}
	return nil, nil
}
