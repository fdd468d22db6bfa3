package payment

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/kernel"
)

// Earn implements kernel.Signer.
func (p *Service) Earn(job governance.Admitted, t kernel.Terms, now time.Time) (kernel.Earning, error) {
	j := job.Job()
	until := t.Until.Add(settling) // for a voucher without an expiry known here
	if raw := job.Voucher(); raw != nil {
		hold, err := p.ledger.HoldVoucher(raw, j.ID, p.signer.Peer(), t.Amount, credit.Bearer{Peer: job.From(), Origin: job.Origin(), Ahead: job.Ahead()}, now)
		if err != nil {
			return nil, err
		}
		// Recorded only after the hold: in between, the payer might be told otherwise.
		p.mu.Lock()
		denied := p.denied.has(hold)
		p.mu.Unlock()
		if denied {
			err = fmt.Errorf("payment: %w: its payer has been told that it is not", credit.ErrVoucherReplayed)
			return nil, errors.Join(err, p.ledger.Refund(hold, now))
		}
		if h, ok := p.ledger.HoldOf(hold); ok {
			until = h.Expires
		}
		return &earning{service: p, job: job, hold: hold, until: until}, nil
	}
	// Admission let this ledger spend here without a voucher, so the nonce only names the hold.
	v := credit.Voucher{
		LedgerID: job.Ledger(), JobID: j.ID, Payee: p.signer.Peer(), MaxAmount: t.Amount, Expires: until,
	}
	if _, err := rand.Read(v.Nonce[:]); err != nil {
		return nil, fmt.Errorf("payment: nonce: %w", err)
	}
	hold, err := p.hold(v, t, now)
	if err != nil {
		return nil, err
	}
	return &earning{service: p, job: job, hold: hold, until: until}, nil
}

// earning is the hold for a job that runs here.
type earning struct {
	service *Service
	job     governance.Admitted
	hold    credit.HoldID
	until   time.Time // when it expires
}

// Until implements kernel.Earning.
func (e *earning) Until() time.Time { return e.until }

// Pays implements kernel.Earning.
func (e *earning) Pays() bool { return e.service.ledger.Pays(e.hold.Ledger) }

// Collect implements kernel.Earning. The receipt of another node's job is stored before the hold
// is settled.
func (e *earning) Collect(w kernel.Work, now time.Time) ([]byte, error) {
	p := e.service
	receipt, err := p.signer.Receipt(credit.Receipt{
		JobID:        e.job.Job().ID,
		LedgerID:     e.hold.Ledger,
		CapsuleCID:   w.CapsuleCID,
		InputCID:     w.InputCID,
		OutputCID:    w.OutputCID,
		Cost:         w.Cost,
		StartedAt:    w.Started,
		FinishedAt:   w.Finished,
		VoucherNonce: e.hold.Nonce,
		Code:         uint16(w.Code),
	})
	if err != nil {
		return nil, err
	}
	if e.hold.Ledger != p.signer.Ledger() {
		proof := Proof{Hold: e.hold, Cost: w.Cost, Until: e.until, Voucher: e.job.Voucher(), Receipt: receipt}
		if err := p.prove(proof, now); err != nil {
			p.refund(e.hold, now) // a job without a stored proof is not billed
			return nil, err
		}
	}
	if err := p.ledger.Settle(e.hold, p.signer.Peer(), w.Cost, now); err != nil {
		if !errors.Is(err, credit.ErrFailed) {
			return nil, errors.Join(err, p.disprove(e.hold))
		}
		p.mu.Lock()
		if p.proofs.of[e.hold] != nil {
			p.unsettled[e.hold] = struct{}{} // settled by SettleAgain, or after a restart
		}
		p.mu.Unlock()
		return nil, err
	}
	return receipt, nil
}

// Refund implements kernel.Earning.
func (e *earning) Refund(now time.Time) { e.service.refund(e.hold, now) }
