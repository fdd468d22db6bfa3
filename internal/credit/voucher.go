package credit

import (
	"crypto/ed25519"
	"time"

	"inos/internal/identity"
)

// Nonce makes a voucher unique: 16 random bytes. A nonce pays once during the life of its
// voucher.
type Nonce [16]byte

// Voucher is a promise to pay up to MaxAmount for one job until Expires. The ledger's key signs
// it.
type Voucher struct {
	LedgerID  identity.LedgerID
	JobID     string          // UUIDv7
	Payee     identity.PeerID // zero: any node
	MaxAmount uint64          // microcredits
	Expires   time.Time
	Nonce     Nonce
}

// Receipt states what a worker did and what it costs. The worker's key signs it.
type Receipt struct {
	JobID        string
	LedgerID     identity.LedgerID
	Worker       identity.PeerID
	CapsuleCID   string
	InputCID     string
	OutputCID    string
	Cost         uint64 // microcredits
	StartedAt    time.Time
	FinishedAt   time.Time
	VoucherNonce Nonce
	Code         uint16 // JobCode of the result
}

// Cheque clears debts between two nodes. Its figures are totals over all time, so a lost or
// repeated cheque does no harm.
type Cheque struct {
	Drawer   identity.PeerID
	Payee    identity.PeerID
	Sequence uint64 // counts up
	Paid     uint64 // microcredits promised by Drawer's cheques to Payee
	Offset   uint64 // microcredits set off between the two, by Drawer's books
	IssuedAt time.Time
}

// Codec writes and reads signed vouchers, receipts and cheques. internal/wire has the one for
// the network. Open checks the signature and returns the signer. Its error matches ErrSignature
// when that check failed; any other error means that the bytes do not decode. This package
// checks whether the signer was entitled.
type Codec interface {
	SealVoucher(Voucher, ed25519.PrivateKey) ([]byte, error)
	OpenVoucher([]byte) (Voucher, identity.PeerID, error)
	SealReceipt(Receipt, ed25519.PrivateKey) ([]byte, error)
	OpenReceipt([]byte) (Receipt, identity.PeerID, error)
	SealCheque(Cheque, ed25519.PrivateKey) ([]byte, error)
	OpenCheque([]byte) (Cheque, identity.PeerID, error)
}

// jobKey is a job id without its punctuation.
type jobKey [16]byte

func parseJob(s string) (k jobKey, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return k, false
	}
	at := 0
	for i := range k {
		if at == 8 || at == 13 || at == 18 || at == 23 { // the dashes, checked above
			at++
		}
		hi, lo := hexDigit(s[at]), hexDigit(s[at+1])
		if hi > 15 || lo > 15 {
			return k, false
		}
		k[i] = hi<<4 | lo
		at += 2
	}
	return k, true
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

func (k jobKey) String() string {
	if k == (jobKey{}) {
		return ""
	}
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for i, b := range k {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}
