package credit

import (
	"inos/internal/fault"
)

// What a ledger or a wallet refuses. All are final, except ErrFundsHeld and ErrBusy.
var (
	ErrLedgerMalformed   = fault.Final("ledger_malformed", "credit: ledger id is malformed")
	ErrLedgerUnknown     = fault.Final("ledger_unknown", "credit: ledger is unknown and no voucher came")
	ErrLedgerRevoked     = fault.Final("ledger_revoked", "credit: ledger is revoked")
	ErrLedgerExhausted   = fault.Final("ledger_exhausted", "credit: ledger cannot cover the amount")
	ErrFundsHeld         = fault.Retryable("funds_held", "credit: what the ledger has is held for other jobs")
	ErrVoucherMissing    = fault.Final("voucher_missing", "credit: voucher is missing")
	ErrVoucherMalformed  = fault.Final("voucher_malformed", "credit: voucher does not decode")
	ErrVoucherForged     = fault.Final("voucher_forged", "credit: voucher is not signed by the ledger's key")
	ErrVoucherExpired    = fault.Final("voucher_expired", "credit: voucher has expired")
	ErrVoucherReplayed   = fault.Final("voucher_replayed", "credit: voucher has been used")
	ErrVoucherWrongJob   = fault.Final("voucher_wrong_job", "credit: voucher is for another job")
	ErrVoucherWrongPayee = fault.Final("voucher_wrong_payee", "credit: voucher is for another payee")
	ErrVoucherTooSmall   = fault.Final("voucher_too_small", "credit: voucher is smaller than the amount")

	// ErrReceiptMalformed: the receipt does not decode. Advice: report it to the node that signed it.
	ErrReceiptMalformed = fault.Final("receipt_malformed", "credit: receipt does not decode")
	// ErrReceiptForged: the receipt is not signed by its worker. Advice: nothing; it is not paid.
	ErrReceiptForged = fault.Final("receipt_forged", "credit: receipt is not signed by its worker")
	// ErrReceiptMismatch: the receipt does not say what was agreed. Advice: nothing; it is not paid.
	ErrReceiptMismatch = fault.Final("receipt_mismatch", "credit: receipt does not say what was agreed")
	// ErrReceiptUnknown: the receipt answers no voucher of this wallet. Advice: nothing; it is not paid.
	ErrReceiptUnknown = fault.Final("receipt_unknown", "credit: receipt answers no voucher of this wallet")

	// ErrChequeMalformed: the cheque does not decode. Advice: ask its drawer for another.
	ErrChequeMalformed = fault.Final("cheque_malformed", "credit: cheque does not decode")
	// ErrChequeForged: the cheque is not signed by its drawer. Advice: ask its drawer for another.
	ErrChequeForged = fault.Final("cheque_forged", "credit: cheque is not signed by its drawer")
	// ErrChequeStale: the cheque is not newer than the last one. Advice: nothing; the last one counts.
	ErrChequeStale = fault.Final("cheque_stale", "credit: cheque is not newer than the last one")
	// ErrChequeMismatch: the cheque does not match what is owed. Advice: compare the books:
	// [economy.md](economy.md#reading-the-books).
	ErrChequeMismatch = fault.Final("cheque_mismatch", "credit: cheque does not match what is owed")

	// ErrNoHold: there is no such hold. Advice: nothing; it has been settled or refunded long ago.
	ErrNoHold = fault.Final("hold_unknown", "credit: no such hold")
	// ErrHoldSettled: the hold has been settled. Advice: nothing; it is paid once.
	ErrHoldSettled = fault.Final("hold_settled", "credit: hold has been settled")
	// ErrHoldRefunded: the hold has been refunded. Advice: nothing; it is not paid any more.
	ErrHoldRefunded = fault.Final("hold_refunded", "credit: hold has been refunded")
	// ErrOverHold: the cost exceeds what is held. Advice: nothing; it is not paid.
	ErrOverHold = fault.Final("over_hold", "credit: cost exceeds what is held")
	// ErrJobID: the job id is no UUID. Advice: give a UUIDv7.
	ErrJobID = fault.Final("job_id", "credit: job id is not a UUID")
	// ErrPeer: the peer id is malformed. Advice: give the id that the node printed.
	ErrPeer = fault.Final("peer_malformed", "credit: peer id is malformed")
	// ErrAmount: the amount is zero or too large. Advice: give a whole number of microcredits, above 0.
	ErrAmount = fault.Final("amount", "credit: amount is zero or too large")
	// ErrConfig: the ledger's configuration is wrong. Advice: correct what the message names.
	ErrConfig = fault.Final("config", "credit: bad config")
	ErrBusy   = fault.Retryable("busy", "credit: too many movements are waiting")

	// What is wrapped says why. The ledger tries the log again after a pause of 1 s to 30 s
	// and goes on from what is durable.

	// ErrFailed: the ledger could not be written, so nothing has moved. Advice: make room where the ledger lies:
	// [economy.md](economy.md#reading-the-books).
	ErrFailed = fault.Retryable("log_failed", "credit: the ledger could not be written")
	// ErrCorrupt: the ledger's log does not verify. Advice: restore it from a copy; the message names the entry.
	ErrCorrupt = fault.Final("log_corrupt", "credit: the log does not verify")
	// ErrClosed: the ledger is closed. Advice: start the node, or reload the page.
	ErrClosed = fault.Final("closed", "credit: ledger is closed")

	// A Codec's Open returns it, or wraps it, when the message decodes and its signature
	// does not verify.

	// ErrSignature: the signature of a message of the economy does not verify. Advice: ask its sender for another.
	ErrSignature = fault.Final("signature", "credit: signature does not verify")
)
