package payment

import (
	"time"

	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/identity"
)

// ErrUndecided says that a job is still running, or that its receipt is gone, so the hold has to
// wait. Retryable.
var ErrUndecided = fault.Internal("payment: the voucher's fate is open")

// Lost returns, by payee, holds of vouchers that went to other nodes and whose jobs will not
// report here: those of an earlier run, those of an abandoned attempt, and those past their
// job's deadline. There are at most atMost of each payee, the soonest expiry first.
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
			continue // its job may still run
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

// Answer returns what a payer that asks after its voucher is told: the receipt, nothing when
// there is none and never will be, or ErrUndecided. An unknown voucher is refused from then on,
// since its payer may take the money back.
func (p *Service) Answer(id credit.HoldID) ([]byte, error) {
	fate := p.ledger.Fate(id)
	if fate == credit.FateHeld {
		return nil, ErrUndecided
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// A receipt outlasts the ledger's memory of its voucher.
	if x := p.proofs.of[id]; x != nil {
		return x.Receipt, nil
	}
	switch fate {
	case credit.FateSettled:
		return nil, ErrUndecided // its proof was dropped to make room
	case credit.FateUnknown:
		// The voucher may have arrived meanwhile, when Earn had not seen the denial yet.
		if p.denied.add(id); p.ledger.Fate(id) != credit.FateUnknown {
			return nil, ErrUndecided // a hold that waits is better than unpaid work
		}
	}
	return nil, nil
}
