package credit

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"inos/internal/identity"
)

// SignerConfig of a Signer. Key and Codec are required.
type SignerConfig struct {
	Key   ed25519.PrivateKey // the node's; it owns the ledger that pays
	Codec Codec
	Rand  io.Reader // nonces; nil means crypto/rand
	// Keep is how many open vouchers and how many receipts are remembered; 0 means 4096. At the
	// bound the oldest are dropped.
	Keep int
}

// Signer signs with one key: vouchers when its node pays, receipts when its node works, cheques
// when it clears. It remembers the receipts that it has checked. The Ledger, not the Signer,
// holds the balance. Safe for concurrent use; nothing blocks.
type Signer struct {
	cfg    SignerConfig
	peer   identity.PeerID
	ledger identity.LedgerID

	mu       sync.Mutex
	open     map[Nonce]Voucher
	order    []Nonce // keys of open, oldest first; may include closed ones
	receipts []KeptReceipt
	next     int // index in receipts to overwrite next, once it is full
}

// KeptReceipt is a checked receipt with its signed bytes.
type KeptReceipt struct {
	Receipt Receipt
	Signed  []byte
}

// NewSigner checks cfg. Errors match ErrConfig.
func NewSigner(cfg SignerConfig) (*Signer, error) {
	if len(cfg.Key) != ed25519.PrivateKeySize || cfg.Codec == nil || cfg.Keep < 0 {
		return nil, fmt.Errorf("%w: a signer needs an Ed25519 key and a codec", ErrConfig)
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Keep == 0 {
		cfg.Keep = 4096
	}
	pub := cfg.Key.Public().(ed25519.PublicKey)
	return &Signer{cfg: cfg, peer: identity.PeerIDOf(pub), ledger: identity.LedgerIDOf(pub),
		open: make(map[Nonce]Voucher)}, nil
}

// Peer returns the peer id of the signer's key.
func (w *Signer) Peer() identity.PeerID { return w.peer }

// Ledger returns the ledger that the signer's key owns.
func (w *Signer) Ledger() identity.LedgerID { return w.ledger }

// Issue makes and signs a voucher. The caller holds its amount in the Ledger before the voucher
// leaves the node. A zero payee means any node.
func (w *Signer) Issue(jobID string, payee identity.PeerID, max uint64, expires time.Time) (Voucher, []byte, error) {
	v := Voucher{LedgerID: w.ledger, JobID: jobID, Payee: payee, MaxAmount: max, Expires: expires}
	if _, ok := parseJob(jobID); !ok {
		return Voucher{}, nil, fmt.Errorf("%w: %.80q", ErrJobID, jobID)
	}
	if max == 0 || max > maxAmount {
		return Voucher{}, nil, ErrAmount
	}
	if _, err := io.ReadFull(w.cfg.Rand, v.Nonce[:]); err != nil {
		return Voucher{}, nil, fmt.Errorf("credit: nonce: %w", err)
	}
	raw, err := w.cfg.Codec.SealVoucher(v, w.cfg.Key)
	if err != nil {
		return Voucher{}, nil, err
	}
	w.Remember(v)
	return v, raw, nil
}

// Voucher is Issue for callers that need only the signed bytes.
func (w *Signer) Voucher(jobID string, payee identity.PeerID, max uint64, expires time.Time) ([]byte, error) {
	_, raw, err := w.Issue(jobID, payee, max, expires)
	return raw, err
}

// Remember makes the signer expect a receipt for v. Callers use it after a restart, for the
// ledger's open holds.
func (w *Signer) Remember(v Voucher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.order) >= 2*w.cfg.Keep { // at least half of them are closed
		w.order = slices.DeleteFunc(w.order, func(n Nonce) bool { _, open := w.open[n]; return !open })
	}
	for len(w.open) >= w.cfg.Keep {
		delete(w.open, w.order[0])
		w.order = w.order[1:]
	}
	w.open[v.Nonce] = v
	w.order = append(w.order, v.Nonce)
}

// Receipt signs r as the worker, and fills in Worker.
func (w *Signer) Receipt(r Receipt) ([]byte, error) {
	r.Worker = w.peer
	return w.cfg.Codec.SealReceipt(r, w.cfg.Key)
}

// Expect is what a payer knows of a job. Zero fields are not compared.
type Expect struct {
	JobID      string
	Worker     identity.PeerID
	CapsuleCID string
	InputCID   string
	OutputCID  string
	Cost       uint64
}

// Check is Read, then Close.
func (w *Signer) Check(receipt []byte, want Expect) error {
	r, err := w.Read(receipt, want)
	if err == nil {
		w.Close(r, receipt)
	}
	return err
}

// Read verifies a worker's receipt against the voucher it answers and against want. The voucher
// stays open until Close, so a caller that cannot settle now may try again. Errors match
// ErrReceiptMalformed, ErrReceiptForged, ErrReceiptUnknown (also for a receipt to a closed
// voucher) or ErrReceiptMismatch.
func (w *Signer) Read(receipt []byte, want Expect) (Receipt, error) {
	r, err := openReceipt(w.cfg.Codec, receipt)
	if err != nil {
		return Receipt{}, err
	}
	for _, c := range []struct{ name, got, want string }{
		{"job", r.JobID, want.JobID}, {"worker", string(r.Worker), string(want.Worker)},
		{"capsule", r.CapsuleCID, want.CapsuleCID}, {"input", r.InputCID, want.InputCID},
		{"output", r.OutputCID, want.OutputCID}} {
		if c.want != "" && c.got != c.want {
			return Receipt{}, fmt.Errorf("%w: %s is %.80q, expected %q", ErrReceiptMismatch, c.name, c.got, c.want)
		}
	}
	if want.Cost != 0 && r.Cost != want.Cost {
		return Receipt{}, fmt.Errorf("%w: cost is %d, expected %d", ErrReceiptMismatch, r.Cost, want.Cost)
	}
	if r.FinishedAt.Before(r.StartedAt) {
		return Receipt{}, fmt.Errorf("%w: finished before it started", ErrReceiptMismatch)
	}
	w.mu.Lock()
	v, ok := w.open[r.VoucherNonce]
	w.mu.Unlock()
	if !ok || r.LedgerID != w.ledger {
		return Receipt{}, ErrReceiptUnknown
	}
	if r.JobID != v.JobID || (v.Payee != "" && r.Worker != v.Payee) {
		return Receipt{}, fmt.Errorf("%w: the voucher is for job %s and payee %q", ErrReceiptMismatch, v.JobID, v.Payee)
	}
	if r.Cost > v.MaxAmount {
		return Receipt{}, fmt.Errorf("%w: cost %d exceeds the voucher's %d", ErrReceiptMismatch, r.Cost, v.MaxAmount)
	}
	return r, nil
}

// Close remembers a receipt that Read has accepted, with its signed bytes, and closes its
// voucher. A second call with one voucher does nothing.
func (w *Signer) Close(r Receipt, signed []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.open[r.VoucherNonce]; !ok {
		return
	}
	delete(w.open, r.VoucherNonce)
	kept := KeptReceipt{Receipt: r, Signed: append([]byte(nil), signed...)}
	if len(w.receipts) < w.cfg.Keep {
		w.receipts = append(w.receipts, kept)
	} else {
		w.receipts[w.next] = kept
		w.next = (w.next + 1) % w.cfg.Keep
	}
}

// Kept returns the checked receipts of a job, oldest first.
func (w *Signer) Kept(jobID string) []KeptReceipt {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []KeptReceipt
	for i := range w.receipts {
		if k := w.receipts[(w.next+i)%len(w.receipts)]; k.Receipt.JobID == jobID {
			out = append(out, k)
		}
	}
	return out
}

func openReceipt(c Codec, raw []byte) (Receipt, error) {
	r, signer, err := c.OpenReceipt(raw)
	switch {
	case errors.Is(err, ErrSignature):
		return Receipt{}, ErrReceiptForged
	case err != nil:
		return Receipt{}, fmt.Errorf("%w: %v", ErrReceiptMalformed, err)
	case signer != r.Worker:
		return Receipt{}, fmt.Errorf("%w: signed by %s, not by %s", ErrReceiptForged, signer, r.Worker)
	}
	return r, nil
}
