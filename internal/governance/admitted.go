package governance

import (
	"time"

	"inos/internal/identity"
)

// Admitted is a job that passed a Gate. Only this package can make one: the
// matchmaker takes nothing else. The zero value is no admission (Valid is false,
// Job and Envelope are empty). It is small, immutable and safe to share.
type Admitted struct {
	a      *admission
	origin string
	ahead  time.Duration
}

// admission is made once a job. It has 512 bytes and no more (a test says so): a
// larger one costs a third of the time to admit. What a Decision says besides is
// in the envelope and the job.
type admission struct {
	envelope Envelope
	job      Job
	voucher  []byte
	from     identity.PeerID
	serial   uint64 // of the gate's admissions; names the concurrency slot
	version  uint64 // of the policy
	at       int64  // Unix nanoseconds
}

// Decision says which rule decided under which policy, when, and for whom.
type Decision struct {
	JobID         string
	Rule          string // the rule that rejected, or RuleAdmitted
	Code          string // stable code of a rejection, empty when admitted
	Detail        string
	PolicyVersion uint64
	At            time.Time
	Ledger        identity.LedgerID
	From          identity.PeerID // zero: the local console
}

// Admitted reports whether the decision let the job in.
func (d Decision) Admitted() bool { return d.Code == "" && d.Rule == RuleAdmitted }

// RuleAdmitted is the Rule of a Decision in which no rule objected.
const RuleAdmitted = "admitted"

// Valid reports whether a came out of a Gate.
func (a Admitted) Valid() bool { return a.a != nil }

// Job is the job with the policy's defaults filled in: Budget is what the
// ledger has been found to cover (microcredits, never 0). Deadline is zero when
// neither the job nor the policy has one: then its run has limits, its waiting none.
// Slices are shared with the request; do not write to them.
func (a Admitted) Job() Job {
	if a.a == nil {
		return Job{}
	}
	return a.a.job
}

// Envelope is the envelope as it was admitted. Its bytes are shared.
func (a Admitted) Envelope() Envelope {
	if a.a == nil {
		return Envelope{}
	}
	return a.a.envelope
}

// Voucher is the signed voucher that came with the job, nil when none did.
func (a Admitted) Voucher() []byte {
	if a.a == nil {
		return nil
	}
	return a.a.voucher
}

// From is the peer that sent the job, zero for the local console.
func (a Admitted) From() identity.PeerID {
	if a.a == nil {
		return ""
	}
	return a.a.from
}

// Ahead is how far the clock of From's node is ahead of this node's, as it was found when
// the job came: what is signed in the voucher is in that node's time.
func (a Admitted) Ahead() time.Duration { return a.ahead }

// Origin is the network that From's node is on, zero when that is not known.
func (a Admitted) Origin() string { return a.origin }

// Ledger is the ledger that pays.
func (a Admitted) Ledger() identity.LedgerID {
	if a.a == nil {
		return ""
	}
	return identity.LedgerID(a.a.envelope.Metadata.CreditLedgerID)
}

// Decision says why the job was let in.
func (a Admitted) Decision() Decision {
	if a.a == nil {
		return Decision{}
	}
	return Decision{JobID: a.a.job.ID, Rule: RuleAdmitted, PolicyVersion: a.a.version, At: instant(a.a.at),
		Ledger: a.Ledger(), From: a.a.from}
}

func instant(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }
