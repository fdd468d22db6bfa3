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
	// Done follows every admission, once the job has ended.
	Done(a governance.Admitted)
	// Start says whether a capsule whose manifest publisher signed may be started here for
	// an admitted job.
	Start(a governance.Admitted, m capsule.Manifest, publisher identity.PeerID) error
	// Resident says whether this node's data may lie on a node at geoHash.
	Resident(geoHash string) error
	// Message checks the DNA of a message that is no job.
	Message(env governance.Envelope, now time.Time) error
}

// Capsules runs capsules on this node. Supervised makes one of a supervisor.
type Capsules interface {
	lifecycle.Capsules
	// Serve runs until ctx ends; the kernel supervises it.
	Serve(ctx context.Context) error
	// Run does task on an instance of the capsule, spawning one if need be, and
	// returns its output. onProgress may be nil and does not block.
	Run(ctx context.Context, cid capsule.CID, limits Limits, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error)
}

// Payments promises payment for jobs sent away and collects it for jobs done here.
// A nil Payments means that neither happens: vouchers and receipts stay empty.
// Methods do not block for longer than a write to the ledger's log.
type Payments interface {
	// Reserve sets amount aside on ledger, or all that it can ever pay, when that is less
	// but least at least. It writes nothing. Errors match credit.ErrFundsHeld when there
	// will be enough once what is held for other jobs has been settled.
	Reserve(ledger identity.LedgerID, amount, least uint64) (Funds, error)
	// OnFreed has f called after a Reserve that failed, when there may be more. f does not
	// block.
	OnFreed(f func())
	// Promise signs a voucher over t.Amount to payee and holds that. It is good until
	// some time after t.Until.
	Promise(job governance.Admitted, payee identity.PeerID, t Terms, now time.Time) (voucher []byte, err error)
	// Pay checks the receipt in out against the job, the output, and what took, this
	// node's own measure of it, can have cost at that price; pays it from what Promise
	// held and keeps it.
	Pay(job governance.Admitted, out mesh.JobOutcome, took time.Duration, now time.Time) error
	// Withdraw gives back what Promise held for payee, which cannot have earned it.
	Withdraw(job governance.Admitted, payee identity.PeerID, now time.Time)
	// GiveUp says that payee's attempt has ended here, and that nobody knows whether it
	// has earned what Promise held: that waits until payee says so, or the voucher expires.
	GiveUp(job governance.Admitted, payee identity.PeerID)
	// Earn holds t.Amount on the ledger that pays, before the job runs. Errors match
	// credit.ErrFundsHeld when other jobs of that ledger are in the way.
	Earn(job governance.Admitted, t Terms, now time.Time) (Earning, error)
}

// Earning is a hold on the payer's ledger. Exactly one of Collect and Refund is called.
type Earning interface {
	// Until is when it expires: a run that has not ended by then is not paid.
	Until() time.Time
	// Pays reports whether the payer has paid for jobs before, or pays for this one, so
	// that it goes before those who only promise.
	Pays() bool
	// Collect settles w.Cost and signs the receipt. Its Code says how the run ended.
	Collect(w Work, now time.Time) (receipt []byte, err error)
	Refund(now time.Time)
}

// Work is what was done for a job, as the receipt says it.
type Work struct {
	CapsuleCID, InputCID, OutputCID string
	Cost                            uint64 // microcredits
	Started, Finished               time.Time
	Code                            mesh.JobCode
}

var _ mesh.Handler = (*Kernel)(nil)
var _ Gate = (*governance.Gate)(nil)
