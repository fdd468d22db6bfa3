package payment

import (
	"errors"
	"time"

	"inos/internal/clock"
	"inos/internal/credit"
	"inos/internal/identity"
)

// ErrUndecided says that a job is still at work, or that its receipt is gone: the
// hold has to wait. Retryable.
var ErrUndecided = errors.New("payment: the voucher's fate is open")

// Lost returns, by payee, holds of vouchers that went to other nodes and of whose jobs nobody
// here will hear: those of a run before, those whose attempt was given up, and those past
// their job's deadline. Of each payee's there are atMost, those first that expire first.
func (p *Purse) Lost(now time.Time, atMost int) map[identity.PeerID][]credit.Held {
	out := make(map[identity.PeerID][]credit.Held)
	for _, h := range p.ledger.Holds() {
		if h.ID.Ledger != p.wallet.Ledger() || h.Payee == "" || h.Payee == p.wallet.Peer() {
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
func (p *Purse) Denied(h credit.Held, now time.Time) {
	_ = p.release(h, now)
}

// Answer is what a payer that asks after its voucher is told: the receipt, nothing
// when there is none and never will be, or ErrUndecided. A voucher that is not known here
// is not taken any more once its payer has been told so.
func (p *Purse) Answer(id credit.HoldID, now time.Time) ([]byte, error) {
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
		if !p.denied.add(id, now) || p.ledger.Fate(id) != credit.FateUnknown {
			return nil, ErrUndecided // better a hold that waits than work that nobody pays for
		}
	}
	return nil, nil
}

const (
	// deniedAtMost bounds the vouchers that payers have been told are not known here, and
	// deniedOfOne those of one ledger.
	deniedAtMost = 4096
	deniedOfOne  = 64
	// deniedFor is how long they are refused: no voucher lives longer.
	deniedFor = 24*time.Hour + clock.Tolerance
)

// denials are vouchers whose payers have been told that they are not known here, and
// may have taken their money back. They last as long as the program.
type denials struct {
	until map[credit.HoldID]time.Time
	of    map[identity.LedgerID]int
}

func newDenials() denials {
	return denials{until: make(map[credit.HoldID]time.Time), of: make(map[identity.LedgerID]int)}
}

// add reports whether id is refused from now on.
func (d *denials) add(id credit.HoldID, now time.Time) bool {
	if _, known := d.until[id]; known {
		return true
	}
	if len(d.until) >= deniedAtMost || d.of[id.Ledger] >= deniedOfOne {
		d.sweep(now)
		if len(d.until) >= deniedAtMost || d.of[id.Ledger] >= deniedOfOne {
			return false
		}
	}
	d.until[id] = now.Add(deniedFor)
	d.of[id.Ledger]++
	return true
}

func (d *denials) sweep(now time.Time) {
	for id, until := range d.until {
		if now.After(until) {
			delete(d.until, id)
			if d.of[id.Ledger]--; d.of[id.Ledger] == 0 {
				delete(d.of, id.Ledger)
			}
		}
	}
}
