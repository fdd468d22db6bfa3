// Package payment joins a node's signer and its ledger into what the kernel needs of both: to
// promise payment for jobs sent away and to collect it for jobs done here. Credits are held
// before a job leaves or runs, and every hold ends settled, refunded or expired.
package payment

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"inos/internal/clock"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh"
)

// settling is how long after a job's deadline its voucher can still be settled, so that a result
// has time to travel.
const settling = time.Minute

// Service implements kernel.Signer. Safe for concurrent use. Methods that move money block for
// one write to the ledger's log.
type Service struct {
	signer *credit.Signer
	ledger *credit.Ledger

	keep    Store      // nil: nothing is stored
	drawers sync.Mutex // held while a cheque is stored

	mu       sync.Mutex
	promised map[promise]promised // expired ones are swept out
	swept    int                  // how many were left after the last sweep
	agreed   map[string]agreed    // paid outputs of jobs on several nodes, by job
	proofs   *proofs
	denied   denials
	paid     uint64 // receipts ever stored
	// unsettled holds jobs done here whose settlement the ledger's log refused. Each has a
	// proof, which bounds them.
	unsettled map[credit.HoldID]struct{}
	// unreturned holds open holds whose refund the log refused.
	unreturned map[credit.HoldID]struct{}
	// unearned holds the vouchers that this node held when it ended and will never bill, each
	// with the time until which its signer is to be told so.
	unearned map[credit.HoldID]time.Time
}

// Config of a Service. Signer and Ledger are required, of one node.
type Config struct {
	Signer *credit.Signer
	Ledger *credit.Ledger
	// Keep stores what this node is owed for, receipts with their vouchers and cheques, and the
	// receipts of what it has paid for. nil: they last as long as the program.
	Keep Store
}

type agreed struct {
	outputCID string
	expires   time.Time
}

type promise struct {
	job   string
	payee identity.PeerID
}

type promised struct {
	hold    credit.HoldID
	expires time.Time
	made    time.Time
	price   uint64 // microcredits a second, the payee's price when it was chosen
	several bool   // one of several nodes that must agree
	over    bool   // the attempt has ended here without an answer
}

// bound returns the most that a promise answered after took may cost.
func (p promised) bound(cost uint64, took time.Duration) error {
	if most := credit.Bound(p.price, took); cost > most {
		return fmt.Errorf("payment: %w: %d for %v at %d a second", credit.ErrReceiptMismatch, cost, took, p.price)
	}
	return nil
}

var _ kernel.Payments = (*Service)(nil)

// New joins the signer and the ledger of one node. Vouchers of this node that the ledger still
// holds stay held, since their receipts may still arrive. Jobs done here whose receipt was
// signed and not settled are settled. Other holds of jobs here are refunded, since those jobs
// will not end. It blocks while it reads and writes. Errors are those of the ledger and the
// store, or match ErrProof.
func New(cfg Config, now time.Time) (*Service, error) {
	signer, ledger := cfg.Signer, cfg.Ledger
	p := &Service{signer: signer, ledger: ledger, keep: cfg.Keep, promised: make(map[promise]promised), agreed: make(map[string]agreed),
		denied: newDenials(), unsettled: make(map[credit.HoldID]struct{}),
		unreturned: make(map[credit.HoldID]struct{}), unearned: make(map[credit.HoldID]time.Time)}
	var err error
	if p.proofs, err = newProofs(cfg.Keep); err != nil {
		return nil, err
	}
	if err := p.catchUp(now); err != nil {
		return nil, err
	}
	if err := p.giveBack(now); err != nil {
		return nil, err
	}
	if p.keep != nil {
		if _, p.paid, err = paidReceipts(p.keep); err != nil {
			return nil, err
		}
	}
	for _, h := range ledger.Holds() {
		if h.ID.Ledger == signer.Ledger() && h.Payee != signer.Peer() {
			signer.Remember(credit.Voucher{LedgerID: h.ID.Ledger, JobID: h.JobID, Payee: h.Payee, MaxAmount: h.Amount,
				Expires: h.Expires, Nonce: h.ID.Nonce})
		}
	}
	return p, nil
}

// funds implements kernel.Funds.
type funds struct{ *credit.Reservation }

// Split implements kernel.Funds.
func (f funds) Split(amount uint64) kernel.Funds { return funds{f.Reservation.Split(amount)} }

// Reserve implements kernel.Signer.
func (p *Service) Reserve(ledger identity.LedgerID, amount, least uint64) (kernel.Funds, error) {
	r, err := p.ledger.Reserve(ledger, amount, least)
	if err != nil {
		return nil, err
	}
	return funds{r}, nil
}

// OnFreed implements kernel.Signer.
func (p *Service) OnFreed(f func()) { p.ledger.OnFreed(f) }

// hold holds t.Amount for v, out of t.Funds if there are any.
func (p *Service) hold(v credit.Voucher, t kernel.Terms, now time.Time) (credit.HoldID, error) {
	if f, ok := t.Funds.(funds); ok {
		return f.Hold(v, t.Amount, now)
	}
	return p.ledger.Hold(v, t.Amount, now)
}

// Promise implements kernel.Signer. A job that came with a voucher of its own keeps it: the
// signer of that voucher holds the money.
func (p *Service) Promise(job governance.Admitted, payee identity.PeerID, t kernel.Terms, now time.Time) ([]byte, error) {
	if job.Voucher() != nil {
		return job.Voucher(), nil
	}
	if job.Ledger() != p.signer.Ledger() {
		return nil, fmt.Errorf("payment: %w: this node does not hold the key of %s", credit.ErrVoucherMissing, job.Ledger())
	}
	j := job.Job()
	expires := t.Until.Add(settling)
	v, raw, err := p.signer.Issue(j.ID, payee, t.Amount, clock.Told(expires, now))
	if err != nil {
		return nil, err
	}
	// Recorded before the hold: a hold without a record counts as one of an earlier run. Its
	// payee would be asked after it, and would then refuse a job that is still on its way.
	of := promise{j.ID, payee}
	p.remember(of, promised{credit.HoldID{Ledger: v.LedgerID, Nonce: v.Nonce}, expires, now, t.Price, j.ReplicasOrOne() > 1, false}, now)
	if _, err := p.hold(v, t, now); err != nil {
		p.forget(of)
		return nil, err
	}
	return raw, nil
}

func (p *Service) remember(of promise, made promised, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A promise to a node whose fate is unknown is neither paid nor withdrawn. Its hold expires,
	// and its record with it.
	if len(p.promised) > 2*p.swept+64 {
		maps.DeleteFunc(p.promised, func(_ promise, of promised) bool { return now.After(of.expires) })
		maps.DeleteFunc(p.agreed, func(_ string, on agreed) bool { return now.After(on.expires) })
		p.swept = len(p.promised)
	}
	p.promised[of] = made
}

// Pay implements kernel.Signer. Errors match those of credit.Signer.Read and
// credit.Ledger.Settle. The receipt stays valid until it is settled, so a payment that the
// ledger could not write now can be made later.
func (p *Service) Pay(job governance.Admitted, out mesh.JobOutcome, took time.Duration, now time.Time) error {
	if job.Voucher() != nil {
		return nil // the signer of that voucher settles it
	}
	j := job.Job()
	r, err := p.signer.Read(out.Receipt, credit.Expect{
		JobID: j.ID, Worker: out.Node, CapsuleCID: j.Capsule, InputCID: j.InputCID, OutputCID: out.OutputCID,
	})
	if err != nil {
		return err
	}
	of := promise{j.ID, out.Node}
	p.mu.Lock()
	made, known := p.promised[of]
	p.mu.Unlock()
	switch {
	case r.Code != uint16(out.Code):
		return fmt.Errorf("payment: %w: code is %d, expected %d", credit.ErrReceiptMismatch, r.Code, out.Code)
	case r.Cost != out.Cost:
		return fmt.Errorf("payment: %w: cost is %d, expected %d", credit.ErrReceiptMismatch, r.Cost, out.Cost)
	case r.OutputCID != out.OutputCID:
		return fmt.Errorf("payment: %w: output %q of a run that had %q", credit.ErrReceiptMismatch, r.OutputCID, out.OutputCID)
	case known:
		if err := made.bound(r.Cost, took); err != nil {
			return err
		}
	}
	if made.several {
		p.mu.Lock()
		p.agreed[j.ID] = agreed{out.OutputCID, made.expires}
		p.mu.Unlock()
	}
	return p.settle(of, r, out.Receipt, now)
}

// settle pays a checked receipt.
func (p *Service) settle(of promise, r credit.Receipt, signed []byte, now time.Time) error {
	if _, err := p.ledger.SettleReceipt(signed, now); err != nil {
		return err
	}
	p.signer.Close(r, signed)
	p.forget(of)
	p.keepReceipt(signed)
	return nil
}

// Late takes a receipt that arrived outside its job: after a restart, or after its node was
// given up. It is settled at most once, and not at all when the hold has expired. Its cost is
// bounded by the node's price for the time until now or until the job's deadline; after a
// restart, which forgets the price, by the amount held. Of several nodes that had to agree only
// those that did are paid, as far as this run knows. Errors match those of credit.Signer.Read
// and credit.Ledger.Settle.
func (p *Service) Late(receipt []byte, now time.Time) (credit.Receipt, error) {
	r, err := p.signer.Read(receipt, credit.Expect{})
	if err != nil {
		return r, err
	}
	of := promise{r.JobID, r.Worker}
	p.mu.Lock()
	made, known := p.promised[of]
	on := p.agreed[r.JobID]
	p.mu.Unlock()
	if known {
		until := now
		if deadline := made.expires.Add(-settling); until.After(deadline) {
			until = deadline
		}
		if err := made.bound(r.Cost, until.Sub(made.made)); err != nil {
			return r, err
		}
		if made.several && (r.OutputCID == "" || r.OutputCID != on.outputCID) {
			return r, fmt.Errorf("payment: %w: output %q is not the one agreed on", credit.ErrReceiptMismatch, r.OutputCID)
		}
	}
	return r, p.settle(of, r, receipt, now)
}

// Withdraw implements kernel.Signer.
func (p *Service) Withdraw(job governance.Admitted, payee identity.PeerID, now time.Time) {
	if hold, ok := p.forget(promise{job.Job().ID, payee}); ok {
		p.refund(hold, now)
	}
}

// GiveUp implements kernel.Signer. From then on Lost includes the payee's hold.
func (p *Service) GiveUp(job governance.Admitted, payee identity.PeerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := promise{job.Job().ID, payee}
	if made, ok := p.promised[of]; ok {
		made.over = true
		p.promised[of] = made
	}
}

// refund returns a hold, now or by SettleAgain once the ledger's log can be written.
func (p *Service) refund(id credit.HoldID, now time.Time) {
	if err := p.ledger.Refund(id, now); errors.Is(err, credit.ErrFailed) || errors.Is(err, credit.ErrBusy) {
		p.mu.Lock()
		p.unreturned[id] = struct{}{}
		p.mu.Unlock()
	}
}

func (p *Service) forget(of promise) (credit.HoldID, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, ok := p.promised[of]
	delete(p.promised, of)
	return x.hold, ok
}
