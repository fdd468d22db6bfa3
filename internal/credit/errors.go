package credit

// Error is a refusal with a stable code. Compare with errors.Is.
type Error struct {
	code, text string
	retryable  bool
}

func (e *Error) Error() string { return "credit: " + e.text }

// Code is the stable name, the same that governance reports.
func (e *Error) Code() string { return e.code }

// Retryable reports whether the same call may succeed later.
func (e *Error) Retryable() bool { return e.retryable }

// What a ledger or a wallet refuses. All are final, except ErrFundsHeld and ErrBusy.
var (
	ErrLedgerMalformed   = &Error{code: "ledger_malformed", text: "ledger id is malformed"}
	ErrLedgerUnknown     = &Error{code: "ledger_unknown", text: "ledger is unknown and no voucher came"}
	ErrLedgerRevoked     = &Error{code: "ledger_revoked", text: "ledger is revoked"}
	ErrLedgerExhausted   = &Error{code: "ledger_exhausted", text: "ledger cannot cover the amount"}
	ErrFundsHeld         = &Error{code: "funds_held", text: "what the ledger has is held for other jobs", retryable: true}
	ErrVoucherMissing    = &Error{code: "voucher_missing", text: "voucher is missing"}
	ErrVoucherMalformed  = &Error{code: "voucher_malformed", text: "voucher does not decode"}
	ErrVoucherForged     = &Error{code: "voucher_forged", text: "voucher is not signed by the ledger's key"}
	ErrVoucherExpired    = &Error{code: "voucher_expired", text: "voucher has expired"}
	ErrVoucherReplayed   = &Error{code: "voucher_replayed", text: "voucher has been used"}
	ErrVoucherWrongJob   = &Error{code: "voucher_wrong_job", text: "voucher is for another job"}
	ErrVoucherWrongPayee = &Error{code: "voucher_wrong_payee", text: "voucher is for another payee"}
	ErrVoucherTooSmall   = &Error{code: "voucher_too_small", text: "voucher is smaller than the amount"}

	ErrReceiptMalformed = &Error{code: "receipt_malformed", text: "receipt does not decode"}
	ErrReceiptForged    = &Error{code: "receipt_forged", text: "receipt is not signed by its worker"}
	ErrReceiptMismatch  = &Error{code: "receipt_mismatch", text: "receipt does not say what was agreed"}
	ErrReceiptUnknown   = &Error{code: "receipt_unknown", text: "receipt answers no voucher of this wallet"}

	ErrChequeMalformed = &Error{code: "cheque_malformed", text: "cheque does not decode"}
	ErrChequeForged    = &Error{code: "cheque_forged", text: "cheque is not signed by its drawer"}
	ErrChequeStale     = &Error{code: "cheque_stale", text: "cheque is not newer than the last one"}
	ErrChequeMismatch  = &Error{code: "cheque_mismatch", text: "cheque does not match what is owed"}

	ErrNoHold       = &Error{code: "hold_unknown", text: "no such hold"}
	ErrHoldSettled  = &Error{code: "hold_settled", text: "hold has been settled"}
	ErrHoldRefunded = &Error{code: "hold_refunded", text: "hold has been refunded"}
	ErrOverHold     = &Error{code: "over_hold", text: "cost exceeds what is held"}
	ErrJobID        = &Error{code: "job_id", text: "job id is not a UUID"}
	ErrPeer         = &Error{code: "peer_malformed", text: "peer id is malformed"}
	ErrAmount       = &Error{code: "amount", text: "amount is zero or too large"}
	ErrConfig       = &Error{code: "config", text: "bad config"}
	ErrBusy         = &Error{code: "busy", text: "too many movements are waiting", retryable: true}

	// ErrFailed: the log could not be written, so the movement did not happen: what is
	// wrapped says why. The ledger tries the log again after a pause of 1 s to 30 s and
	// goes on from what is durable.
	ErrFailed = &Error{code: "log_failed", text: "the ledger could not be written", retryable: true}
	// ErrCorrupt: the log does not verify. The wrapped text names the entry.
	ErrCorrupt = &Error{code: "log_corrupt", text: "the log does not verify"}
	ErrClosed  = &Error{code: "closed", text: "ledger is closed"}

	// ErrSignature is what a Codec's Open returns, or wraps, when the message
	// decodes and its signature does not verify.
	ErrSignature = &Error{code: "signature", text: "signature does not verify"}
)
