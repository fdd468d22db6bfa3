package governance

import "strings"

// sentinel is an error with a stable code that consoles and peers see.
type sentinel struct {
	code, text, rule string
	retryable        bool
}

func (s *sentinel) Error() string { return "governance: " + s.text }

// Code is the stable name of the error.
func (s *sentinel) Code() string { return s.code }

func dna(code, rule, text string) *sentinel {
	return &sentinel{code: code, rule: "dna." + rule, text: text}
}

func pay(code, text string) *sentinel {
	return &sentinel{code: code, rule: "credit." + code, text: text}
}

func rule(code, rule, text string, retryable bool) *sentinel {
	return &sentinel{code: code, rule: "policy." + rule, text: text, retryable: retryable}
}

// What a Rejection matches with errors.Is. All are final for the envelope they
// were given, except those of which Rejection.Retryable says otherwise.
var (
	noLedger        = dna("ledger_missing", "ledger", "no credit ledger id")
	ledgerMalformed = dna("ledger_malformed", "ledger", "credit ledger id is malformed")
	badID           = dna("id_malformed", "id", "id is not a UUIDv7")
	badType         = dna("type_malformed", "type", `type is not "service:action:v1"`)
	badTime         = dna("timestamp_skew", "timestamp", "timestamp lies too far from now")
	badTrace        = dna("trace_malformed", "trace", "trace parent is not a W3C one")
	tooLong         = dna("field_too_long", "size", "a field is longer than its limit")
	badJob          = dna("job_malformed", "job", "the job is malformed")
	pastDeadline    = dna("deadline_passed", "deadline", "the deadline has passed")

	ledgerUnknown     = pay("ledger_unknown", "ledger is unknown and no voucher came")
	ledgerRevoked     = pay("ledger_revoked", "ledger is revoked")
	ledgerExhausted   = pay("ledger_exhausted", "ledger cannot cover the amount")
	fundsHeld         = &sentinel{code: "funds_held", rule: "credit.funds_held", text: "what the ledger has is held for other jobs", retryable: true}
	voucherMissing    = pay("voucher_missing", "voucher is missing")
	voucherMalformed  = pay("voucher_malformed", "voucher does not decode")
	voucherForged     = pay("voucher_forged", "voucher is not signed by the ledger's key")
	voucherExpired    = pay("voucher_expired", "voucher has expired")
	voucherReplayed   = pay("voucher_replayed", "voucher has been used")
	voucherWrongJob   = pay("voucher_wrong_job", "voucher is for another job")
	voucherWrongPayee = pay("voucher_wrong_payee", "voucher is for another payee")
	voucherTooSmall   = pay("voucher_too_small", "voucher is smaller than the job's budget")
	creditRefused     = pay("credit_refused", "the ledger refused")

	missingField     = rule("metadata_missing", "required", "a required metadata field is empty", false)
	overBudget       = rule("over_budget", "budget", "budget exceeds the policy's ceiling", false)
	overPriority     = rule("over_priority", "priority", "priority exceeds the policy's ceiling", false)
	overDeadline     = rule("over_deadline", "deadline", "deadline lies beyond the policy's", false)
	overLimit        = rule("over_limit", "limit", "memory or time limit exceeds the policy's", false)
	capsuleDenied    = rule("capsule_denied", "capsule", "capsule is not allowed", false)
	publisherDenied  = rule("publisher_denied", "publisher", "publisher is not allowed", false)
	capabilityDenied = rule("capability_denied", "capability", "capability is not allowed", false)
	residency        = rule("residency", "residency", "job may leave the region its data must stay in", false)
	commandDenied    = rule("command_denied", "lifecycle", "the sender may not give this command", false)
	ledgerDenied     = rule("ledger_denied", "ledger", "the policy denies this ledger", false)
	quietHours       = rule("quiet_hours", "quiet", "quiet hours", true)
	rateExceeded     = rule("rate_exceeded", "rate", "ledger sends jobs too fast", true)
	tooMany          = rule("concurrency_exceeded", "concurrency", "ledger has too many jobs running", true)
)

// The sentinels, for errors.Is. ErrPolicy and ErrDNA match every rejection by a
// rule of the policy or by the DNA check.
var (
	ErrDNA    error = &sentinel{code: "dna", text: "rejected by the DNA check"}
	ErrPolicy error = &sentinel{code: "policy", text: "rejected by policy"}

	ErrNoLedger         error = noLedger
	ErrLedgerMalformed  error = ledgerMalformed
	ErrIDMalformed      error = badID
	ErrTypeMalformed    error = badType
	ErrTimestampSkew    error = badTime
	ErrTraceMalformed   error = badTrace
	ErrFieldTooLong     error = tooLong
	ErrJobMalformed     error = badJob
	ErrMetadataMissing  error = missingField
	ErrDeadlinePassed   error = pastDeadline
	ErrLedgerUnknown    error = ledgerUnknown
	ErrLedgerRevoked    error = ledgerRevoked
	ErrLedgerExhausted  error = ledgerExhausted
	ErrFundsHeld        error = fundsHeld
	ErrVoucherMissing   error = voucherMissing
	ErrVoucherMalformed error = voucherMalformed
	ErrVoucherForged    error = voucherForged
	ErrVoucherExpired   error = voucherExpired
	ErrVoucherReplayed  error = voucherReplayed
	ErrVoucherWrongJob  error = voucherWrongJob

	ErrVoucherWrongPayee error = voucherWrongPayee
	ErrVoucherTooSmall   error = voucherTooSmall
	ErrCreditRefused     error = creditRefused
	ErrOverBudget        error = overBudget
	ErrOverPriority      error = overPriority
	ErrOverDeadline      error = overDeadline
	ErrOverLimit         error = overLimit
	ErrCapsuleDenied     error = capsuleDenied
	ErrPublisherDenied   error = publisherDenied
	ErrCapabilityDenied  error = capabilityDenied
	ErrResidency         error = residency
	ErrCommandDenied     error = commandDenied
	ErrLedgerDenied      error = ledgerDenied
	ErrQuietHours        error = quietHours
	ErrRateExceeded      error = rateExceeded
	ErrTooMany           error = tooMany
)

// creditSentinels finds the sentinel of a code that a Ledgers returned.
var creditSentinels = func() map[string]*sentinel {
	m := map[string]*sentinel{ledgerMalformed.code: ledgerMalformed}
	for _, s := range []*sentinel{ledgerUnknown, ledgerRevoked, ledgerExhausted, fundsHeld, voucherMissing,
		voucherMalformed, voucherForged, voucherExpired, voucherReplayed, voucherWrongJob,
		voucherWrongPayee, voucherTooSmall, creditRefused} {
		m[s.code] = s
	}
	return m
}()

// Rejection says no, and why. Values are shared between callers: read only.
type Rejection struct {
	Code          string // stable, for example "ledger_missing"
	Rule          string // "dna.x", "credit.x" or "policy.x"
	Detail        string // for people; may be empty
	PolicyVersion uint64

	kind  *sentinel
	cause error
}

func (r *Rejection) Error() string {
	if r.kind == nil {
		return "governance: rejected: " + r.Code
	}
	if r.Detail == "" {
		return r.kind.Error()
	}
	return r.kind.Error() + ": " + r.Detail
}

// Is matches the sentinels of this package.
func (r *Rejection) Is(target error) bool {
	s, ok := target.(*sentinel)
	if !ok {
		return false
	}
	switch error(s) {
	case ErrPolicy:
		return strings.HasPrefix(r.Rule, "policy.")
	case ErrDNA:
		return strings.HasPrefix(r.Rule, "dna.")
	}
	return s == r.kind
}

// Unwrap returns the ledger's own error, nil when the rejection is governance's.
func (r *Rejection) Unwrap() error { return r.cause }

// Retryable reports whether the same envelope may pass later.
func (r *Rejection) Retryable() bool { return r.kind != nil && r.kind.retryable }

func reject(k *sentinel, version uint64, detail string) *Rejection {
	return &Rejection{Code: k.code, Rule: k.rule, Detail: detail, PolicyVersion: version, kind: k}
}

func (r *Rejection) dna() bool { return strings.HasPrefix(r.Rule, "dna.") }
