package governance

import (
	"strings"

	"inos/internal/fault"
)

// The errors that a Rejection matches with errors.Is. All are final for their envelope, except
// those for which Rejection.Retryable is true.
var (
	// ErrNoLedger: the job has no credit ledger id. Advice: give `creditLedgerId`: the kernel's own is `(await
	// inos.status()).ledgerId`.
	ErrNoLedger = fault.Final("ledger_missing", "governance: no credit ledger id")
	// ErrLedgerMalformed: the credit ledger id is malformed. Advice: give `ledger:` and the peer id of its key.
	ErrLedgerMalformed = fault.Final("ledger_malformed", "governance: credit ledger id is malformed")
	// ErrIDMalformed: the id is no UUIDv7. Advice: leave it out, or give a UUIDv7 that is not yet used.
	ErrIDMalformed = fault.Final("id_malformed", "governance: id is not a UUIDv7")
	// ErrTypeMalformed: the envelope's type has not the form `service:action:v1`. Advice: correct it.
	ErrTypeMalformed = fault.Final("type_malformed", `governance: type is not "service:action:v1"`)
	// ErrTimestampSkew: the envelope's time lies too far from the node's. Advice: set this machine's clock right:
	// [mesh.md](mesh.md#clocks-that-differ).
	ErrTimestampSkew = fault.Final("timestamp_skew", "governance: timestamp lies too far from now")
	// ErrTraceMalformed: the trace parent does not have the form of W3C Trace Context. Advice: leave it out, or correct it.
	ErrTraceMalformed = fault.Final("trace_malformed", "governance: trace parent is not a W3C one")
	// ErrFieldTooLong: a field is longer than its limit. Advice: shorten the field that the message names.
	ErrFieldTooLong = fault.Final("field_too_long", "governance: a field is longer than its limit")
	// ErrJobMalformed: a field of the job contradicts another, or lies outside its range. Advice: correct what the
	// message names.
	ErrJobMalformed = fault.Final("job_malformed", "governance: the job is malformed")
	// ErrDeadlinePassed: the deadline has passed. Advice: give the job more time; or set this machine's clock right.
	ErrDeadlinePassed = fault.Final("deadline_passed", "governance: the deadline has passed")

	// ErrLedgerUnknown: the node does not know the ledger and no voucher came along. Advice: pay with a ledger
	// that the node knows, or let the kernel sign a voucher.
	ErrLedgerUnknown = fault.Final("ledger_unknown", "governance: ledger is unknown and no voucher came")
	// ErrLedgerRevoked: the ledger's key has been revoked. Advice: pay with another ledger.
	ErrLedgerRevoked = fault.Final("ledger_revoked", "governance: ledger is revoked")
	// ErrLedgerExhausted: the ledger does not have the amount, also once nothing is held. Advice:
	// `inos.ledger('grant', microcredits)` on the own node; or a smaller `budget`, a nearer deadline, `maxCost`:
	// [economy.md](economy.md#what-is-held).
	ErrLedgerExhausted = fault.Final("ledger_exhausted", "governance: ledger cannot cover the amount")
	// ErrFundsHeld: the ledger has the amount, and it is held for other jobs. Advice: try again once other jobs
	// have been settled; a job that waits in the queue does so by itself.
	ErrFundsHeld = fault.Retryable("funds_held", "governance: what the ledger has is held for other jobs")
	// ErrVoucherMissing: the job has no voucher. Advice: let the kernel sign one, or give one.
	ErrVoucherMissing = fault.Final("voucher_missing", "governance: voucher is missing")
	// ErrVoucherMalformed: the voucher does not decode. Advice: sign another.
	ErrVoucherMalformed = fault.Final("voucher_malformed", "governance: voucher does not decode")
	// ErrVoucherForged: the voucher is not signed by the ledger's key. Advice: sign it with the key of the ledger.
	ErrVoucherForged = fault.Final("voucher_forged", "governance: voucher is not signed by the ledger's key")
	// ErrVoucherExpired: the voucher has expired. Advice: sign another.
	ErrVoucherExpired = fault.Final("voucher_expired", "governance: voucher has expired")
	// ErrVoucherReplayed: the voucher has been used. Advice: sign another.
	ErrVoucherReplayed = fault.Final("voucher_replayed", "governance: voucher has been used")
	// ErrVoucherWrongJob: the voucher is for another job. Advice: sign one for this job.
	ErrVoucherWrongJob = fault.Final("voucher_wrong_job", "governance: voucher is for another job")
	// ErrVoucherWrongPayee: the voucher is for another payee. Advice: sign one for this node.
	ErrVoucherWrongPayee = fault.Final("voucher_wrong_payee", "governance: voucher is for another payee")
	// ErrVoucherTooSmall: the voucher is smaller than what the job may cost. Advice: sign a larger one, or set a
	// smaller `budget`.
	ErrVoucherTooSmall = fault.Final("voucher_too_small", "governance: voucher is smaller than the job's budget")
	// ErrCreditRefused: the ledger refused for a reason of its own. Advice: the message has the reason.
	ErrCreditRefused = fault.Final("credit_refused", "governance: the ledger refused")
)

// ErrPolicy and ErrDNA match every rejection by a rule of the policy or by the DNA check.
var (
	ErrDNA    = fault.Internal("governance: rejected by the DNA check")
	ErrPolicy = fault.Internal("governance: rejected by policy")
)

// dnaRules maps an error of the DNA check to its rule's name.
var dnaRules = map[*fault.Error]string{
	ErrNoLedger:        "dna.ledger",
	ErrLedgerMalformed: "dna.ledger",
	ErrIDMalformed:     "dna.id",
	ErrTypeMalformed:   "dna.type",
	ErrTimestampSkew:   "dna.timestamp",
	ErrTraceMalformed:  "dna.trace",
	ErrFieldTooLong:    "dna.size",
	ErrJobMalformed:    "dna.job",
	ErrDeadlinePassed:  "dna.deadline",
}

func ruleOf(e *fault.Error) string {
	if rule, ok := dnaRules[e]; ok {
		return rule
	}
	if rule, ok := policyRuleOf[e]; ok {
		return rule
	}
	return "credit." + e.Code()
}

// creditSentinels maps a code that a Ledgers returned to its sentinel.
var creditSentinels = func() map[string]*fault.Error {
	m := map[string]*fault.Error{ErrLedgerMalformed.Code(): ErrLedgerMalformed}
	for _, s := range []*fault.Error{ErrLedgerUnknown, ErrLedgerRevoked, ErrLedgerExhausted, ErrFundsHeld, ErrVoucherMissing,
		ErrVoucherMalformed, ErrVoucherForged, ErrVoucherExpired, ErrVoucherReplayed, ErrVoucherWrongJob,
		ErrVoucherWrongPayee, ErrVoucherTooSmall, ErrCreditRefused} {
		m[s.Code()] = s
	}
	return m
}()

// Rejection is a refusal and its reason. Values are shared between callers and read-only.
type Rejection struct {
	Code          string // stable, for example "ledger_missing"
	Rule          string // "dna.x", "credit.x" or "policy.x"
	Detail        string // for display; may be empty
	PolicyVersion uint64

	kind  *fault.Error
	cause error
}

func (r *Rejection) Error() string {
	if r.Detail == "" {
		return r.kind.Error()
	}
	return r.kind.Error() + ": " + r.Detail
}

// Fault returns the sentinel that r matches.
func (r *Rejection) Fault() *fault.Error { return r.kind }

// Is matches the sentinels of this package.
func (r *Rejection) Is(target error) bool {
	switch target {
	case ErrPolicy:
		return strings.HasPrefix(r.Rule, "policy.")
	case ErrDNA:
		return strings.HasPrefix(r.Rule, "dna.")
	}
	return target == r.kind
}

// Unwrap returns the ledger's own error, nil when the rejection is governance's.
func (r *Rejection) Unwrap() error { return r.cause }

// Retryable reports whether the same envelope may pass later.
func (r *Rejection) Retryable() bool { return r.kind.Retryable() }

func reject(k *fault.Error, version uint64, detail string) *Rejection {
	return &Rejection{Code: k.Code(), Rule: ruleOf(k), Detail: detail, PolicyVersion: version, kind: k}
}

func (r *Rejection) dna() bool { return strings.HasPrefix(r.Rule, "dna.") }
