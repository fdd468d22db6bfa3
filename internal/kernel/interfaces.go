package kernel

import (
	"context"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
	"inos/internal/mesh"
)

// Gate admits jobs and judges lifecycle commands. *governance.Gate is one.
type Gate interface {
	lifecycle.Gate
	Admit(req governance.Request, now time.Time) (governance.Admitted, error)
	// Done is called once for every admission, when the job has ended.
	Done(a governance.Admitted)
	// Start reports whether a capsule whose manifest publisher signed may be started here for an
	// admitted job.
	Start(a governance.Admitted, m capsule.Manifest, publisher identity.PeerID) error
	// Resident reports whether this node's data may be stored on a node at geoHash.
	Resident(geoHash string) error
	// Message checks the DNA of a message that is not a job.
	Message(env governance.Envelope, now time.Time) error
}

// Capsules runs capsules on this node. Supervised makes one from a supervisor.
type Capsules interface {
	lifecycle.Capsules
	// Serve runs until ctx ends; the kernel supervises it.
	Serve(ctx context.Context) error
	// Run does task on an instance of the capsule, spawning one if necessary, and returns its
	// output. onProgress may be nil and must not block.
	Run(ctx context.Context, cid capsule.CID, limits Limits, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error)
}

// Payments promises payment for jobs sent away and collects it for jobs done here. With a nil
// Payments neither happens, and vouchers and receipts stay empty. Methods do not block for longer
// than a write to the ledger's log.
type Payments interface {
	// Reserve sets amount aside on ledger; when the ledger can never pay that, it sets aside all
	// that it can pay, and least at the least. It writes nothing. Errors match credit.ErrFundsHeld
	// when enough will be free once the holds of other jobs are settled.
	Reserve(ledger identity.LedgerID, amount, least uint64) (Funds, error)
	// OnFreed registers f, which is called when there may be more money after a Reserve that
	// failed. f must not block.
	OnFreed(f func())
	// Promise signs a voucher over t.Amount to payee and holds that amount. The voucher is valid
	// until some time after t.Until.
	Promise(job governance.Admitted, payee identity.PeerID, t Terms, now time.Time) (voucher []byte, err error)
	// Pay checks the receipt in out against the job, the output and the most that took, this node's
	// own measure of the time, can have cost at that price. It pays the receipt from what Promise
	// held and keeps it.
	Pay(job governance.Admitted, out mesh.JobOutcome, took time.Duration, now time.Time) error
	// Withdraw gives back what Promise held for payee, who cannot have earned it.
	Withdraw(job governance.Admitted, payee identity.PeerID, now time.Time)
	// GiveUp says that payee's attempt has ended here and that nobody knows whether it has earned
	// what Promise held. The hold waits until payee tells, or the voucher expires.
	GiveUp(job governance.Admitted, payee identity.PeerID)
	// Earn holds t.Amount on the ledger that pays, before the job runs. Errors match
	// credit.ErrFundsHeld when the money is held for other jobs of that ledger.
	Earn(job governance.Admitted, t Terms, now time.Time) (Earning, error)
}

// Earning is a hold on the payer's ledger. Exactly one of Collect and Refund is called.
type Earning interface {
	// Until is when the hold expires: a run that has not ended by then is not paid.
	Until() time.Time
	// Pays reports whether the payer has paid for jobs before, or pays for this one: it then has
	// precedence over payers that only promise.
	Pays() bool
	// Collect settles w.Cost and signs the receipt. Its Code says how the run ended.
	Collect(w Work, now time.Time) (receipt []byte, err error)
	Refund(now time.Time)
}

// Work is the part of the receipt that says what was done for a job.
type Work struct {
	CapsuleCID, InputCID, OutputCID string
	Cost                            uint64 // microcredits
	Started, Finished               time.Time
	Code                            mesh.JobCode
}

var _ mesh.Handler = (*Kernel)(nil)
var _ Gate = (*governance.Gate)(nil)
