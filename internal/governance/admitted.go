package governance

import (
	"time"

	"inos/internal/identity"
)

// Admitted is a job that passed a Gate. Only this package can make one, and the matchmaker takes
// nothing else. The zero value is no admission (Valid is false, Job and Envelope are empty). It
// is small, immutable and safe to share.
type Admitted struct {
	a      *admission
	origin string
	ahead  time.Duration
}

// admission is allocated once per job. It has 512 bytes at most (a test checks it), since a
// larger one makes admission take a third longer. The rest of a Decision is in the envelope and
// the job.
type admission struct {
	envelope Envelope
	job      Job
	voucher  []byte
	from     identity.PeerID
	serial   uint64 // of the gate's admissions; names the concurrency slot
	version  uint64 // of the policy
	at       int64  // Unix nanoseconds
}

// Decision is the result of admission: which rule decided, under which policy, when, and for
// whom.
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

// Admitted reports whether the decision admitted the job.
func (d Decision) Admitted() bool { return d.Code == "" && d.Rule == RuleAdmitted }

// RuleAdmitted is the Rule of a Decision in which no rule objected.
const RuleAdmitted = "admitted"

// Valid reports whether a came out of a Gate.
func (a Admitted) Valid() bool { return a.a != nil }

// Job returns the job with the policy's defaults filled in. Its Budget is what the ledger covers
// (microcredits, never 0). Its Deadline is zero when neither the job nor the policy has one: its
// run then has limits, its wait for a node has none. Slices are shared with the request; do not
// write to them.
func (a Admitted) Job() Job {
	if a.a == nil {
		return Job{}
	}
	return a.a.job
}

// Envelope returns the admitted envelope. Its bytes are shared.
func (a Admitted) Envelope() Envelope {
	if a.a == nil {
		return Envelope{}
	}
	return a.a.envelope
}

// Voucher returns the signed voucher that came with the job, nil when none did.
func (a Admitted) Voucher() []byte {
	if a.a == nil {
		return nil
	}
	return a.a.voucher
}

// From returns the peer that sent the job, zero for the local console.
func (a Admitted) From() identity.PeerID {
	if a.a == nil {
		return ""
	}
	return a.a.from
}

// Ahead returns how far the clock of From's node was ahead of this node's when the job came.
// Times signed in the voucher are by that node's clock.
func (a Admitted) Ahead() time.Duration { return a.ahead }

// Origin returns the network of From's node, zero when unknown.
func (a Admitted) Origin() string { return a.origin }

// Ledger returns the ledger that pays.
func (a Admitted) Ledger() identity.LedgerID {
	if a.a == nil {
		return ""
	}
	return identity.LedgerID(a.a.envelope.Metadata.CreditLedgerID)
}

// Decision returns why the job was admitted.
func (a Admitted) Decision() Decision {
	if a.a == nil {
		return Decision{}
	}
	return Decision{JobID: a.a.job.ID, Rule: RuleAdmitted, PolicyVersion: a.a.version, At: instant(a.a.at),
		Ledger: a.Ledger(), From: a.a.from}
}

func instant(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }
