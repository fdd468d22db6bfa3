package credit_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/testkit"
	"inos/internal/wire"
)

// These tests join credit with the packages that use it, which credit itself does not import.

const job = "01935c2e-7d1a-7c3b-8f00-0123456789ab"

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func wallet(t testing.TB, n byte) *credit.Signer {
	t.Helper()
	w, err := credit.NewSigner(credit.SignerConfig{Key: testkit.Key(n), Codec: wire.Credit{}})
	require.NoError(t, err)
	return w
}

func ledger(t testing.TB) *credit.Ledger {
	t.Helper()
	l, err := credit.OpenLedger(credit.Config{Log: &credit.MemoryLog{}, Codec: wire.Credit{}, StrangerLine: 1_000_000})
	require.NoError(t, err)
	return l
}

// No bit flip in a signed message yields another valid message. (Bits that Cap'n Proto does not
// read may flip unnoticed.)
func TestFlippedBitsOnTheWire(t *testing.T) {
	payer, worker := wallet(t, 1), wallet(t, 2)
	voucher, raw, err := payer.Issue(job, worker.Peer(), 500, now.Add(time.Minute))
	require.NoError(t, err)
	receipt, err := worker.Receipt(credit.Receipt{JobID: job, LedgerID: payer.Ledger(), Cost: 5, VoucherNonce: voucher.Nonce,
		CapsuleCID: "c", InputCID: "i", OutputCID: "o", StartedAt: now, FinishedAt: now})
	require.NoError(t, err)
	honest, _, err := wire.Credit{}.OpenReceipt(receipt)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		raw    []byte
		accept func(raw []byte) error // an error: not believed
	}{
		"voucher": {raw, func(raw []byte) error {
			_, err := ledger(t).HoldVoucher(raw, job, worker.Peer(), 500, credit.Bearer{}, now)
			if v, _, open := (wire.Credit{}).OpenVoucher(raw); err == nil && open == nil {
				require.Equal(t, voucher.Nonce, v.Nonce)
				require.Equal(t, voucher.MaxAmount, v.MaxAmount)
			}
			return err
		}},
		"receipt": {receipt, func(raw []byte) error {
			r, signer, err := wire.Credit{}.OpenReceipt(raw)
			if err == nil {
				require.Equal(t, honest, r)
				require.Equal(t, worker.Peer(), signer)
			}
			return err
		}},
	} {
		refused := 0
		for bit := range len(c.raw) * 8 {
			bad := bytes.Clone(c.raw)
			bad[bit/8] ^= 1 << (bit % 8)
			if c.accept(bad) != nil {
				refused++
			}
		}
		require.Greater(t, refused, len(c.raw)*4, name)
		for n := range c.raw {
			require.Error(t, c.accept(c.raw[:n]), "%s cut at %d", name, n)
		}
	}
	// One kind of message is never another.
	_, _, err = wire.Credit{}.OpenReceipt(raw)
	require.ErrorIs(t, err, credit.ErrSignature)
	require.ErrorIs(t, payer.Check(raw, credit.Expect{}), credit.ErrReceiptForged)
}

func FuzzVoucher(f *testing.F) {
	payer, worker := wallet(f, 1), wallet(f, 2)
	_, raw, err := payer.Issue(job, worker.Peer(), 500, now.Add(time.Minute))
	require.NoError(f, err)
	f.Add(raw)
	l := ledger(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if raw == nil {
			raw = []byte{}
		}
		n, err := l.Authorize(payer.Ledger(), job, raw, "", worker.Peer(), "", 0, 1_000_000, 0, now)
		if err == nil && n != 500 {
			t.Fatalf("%d covered", n)
		}
		if _, err := l.SettleReceipt(raw, now); err == nil {
			t.Fatal("settled")
		}
		if _, err := l.Take(raw, worker.Peer(), now); err == nil {
			t.Fatal("taken")
		}
	})
}

func request(w *credit.Signer, raw []byte, payee identity.PeerID) governance.Request {
	return governance.Request{
		Envelope: governance.Envelope{ID: job, Type: "job:run:v1", Timestamp: now,
			Metadata: governance.Metadata{ModuleID: "console", CreditLedgerID: string(w.Ledger())}},
		Job:     governance.Job{ID: job, Capsule: "bafkreiexample", Budget: 400},
		Voucher: raw, From: w.Peer(), Payee: payee,
	}
}

// Each refusal of the ledger leaves the gate with its own code.
func TestGateReportsTheLedgersCodes(t *testing.T) {
	payer, other, worker := wallet(t, 1), wallet(t, 2), wallet(t, 3)
	l := ledger(t)
	require.NoError(t, l.OpenAccount(other.Ledger(), 0, now))
	g, err := governance.New(governance.Config{Ledgers: l})
	require.NoError(t, err)
	issue := func(w *credit.Signer, id string, payee identity.PeerID, max uint64, life time.Duration) []byte {
		_, raw, err := w.Issue(id, payee, max, now.Add(life))
		require.NoError(t, err)
		return raw
	}
	good := issue(payer, job, worker.Peer(), 500, time.Minute)
	const job2 = "01935c2e-7d1a-7c3b-8f00-0123456789ac"
	for want, c := range map[error]struct {
		wallet  *credit.Signer
		voucher []byte
		code    string
	}{
		governance.ErrLedgerUnknown:     {payer, nil, "ledger_unknown"},
		governance.ErrLedgerExhausted:   {other, nil, "ledger_exhausted"},
		governance.ErrVoucherMalformed:  {payer, []byte("x"), "voucher_malformed"},
		governance.ErrVoucherForged:     {other, good, "voucher_forged"},
		governance.ErrVoucherExpired:    {payer, issue(payer, job, "", 500, 0), "voucher_expired"},
		governance.ErrVoucherWrongJob:   {payer, issue(payer, job2, "", 500, time.Minute), "voucher_wrong_job"},
		governance.ErrVoucherWrongPayee: {payer, issue(payer, job, other.Peer(), 500, time.Minute), "voucher_wrong_payee"},
		governance.ErrVoucherTooSmall:   {payer, issue(payer, job, "", 399, time.Minute), "voucher_too_small"},
	} {
		_, err := g.Admit(request(c.wallet, c.voucher, worker.Peer()), now)
		require.ErrorIs(t, err, want)
		var rej *governance.Rejection
		require.True(t, errors.As(err, &rej))
		require.Equal(t, c.code, rej.Code)
	}
	// Another than the ledger's own node has to bring a voucher.
	missing := request(other, nil, worker.Peer())
	missing.From = worker.Peer()
	_, err = g.Admit(missing, now)
	require.ErrorIs(t, err, governance.ErrVoucherMissing)
	require.ErrorContains(t, err, "voucher")
	a, err := g.Admit(request(payer, good, worker.Peer()), now)
	require.NoError(t, err)
	require.EqualValues(t, 400, a.Job().Budget)
	_, err = l.HoldVoucher(good, job, worker.Peer(), 400, credit.Bearer{}, now)
	require.NoError(t, err)
	_, err = g.Admit(request(payer, good, worker.Peer()), now)
	require.ErrorIs(t, err, governance.ErrVoucherReplayed)
	require.ErrorIs(t, err, credit.ErrVoucherReplayed)
	require.NoError(t, l.Revoke(payer.Ledger(), now))
	_, err = g.Admit(request(payer, issue(payer, job, "", 500, time.Minute), worker.Peer()), now)
	require.ErrorIs(t, err, governance.ErrLedgerRevoked)
}

func benchGate(b testing.TB) (*governance.Gate, *credit.Signer, *credit.Signer) {
	g, err := governance.New(governance.Config{Ledgers: ledger(b)})
	require.NoError(b, err)
	return g, wallet(b, 1), wallet(b, 2)
}

// Admission with an already verified voucher allocates once: the result.
func TestAdmittingAKnownVoucherAllocatesOnce(t *testing.T) {
	g, payer, worker := benchGate(t)
	_, raw, err := payer.Issue(job, worker.Peer(), 500, now.Add(time.Minute))
	require.NoError(t, err)
	for _, from := range []identity.PeerID{payer.Peer(), worker.Peer()} {
		req := request(payer, raw, worker.Peer())
		req.From = from
		require.EqualValues(t, 1, testing.AllocsPerRun(1000, func() {
			if _, err := g.Admit(req, now); err != nil {
				t.Fatal(err)
			}
		}))
	}
}

// BenchmarkAdmit/known: the voucher's signature has been verified before. BenchmarkAdmit/first:
// it has not. Every other round of it is a bare verification, the lower bound of a first time;
// "bare" is how many bare verifications a first time takes.
func BenchmarkAdmit(b *testing.B) {
	b.Run("known", func(b *testing.B) {
		g, payer, worker := benchGate(b)
		_, raw, err := payer.Issue(job, worker.Peer(), 500, now.Add(time.Minute))
		require.NoError(b, err)
		req := request(payer, raw, worker.Peer())
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Admit(req, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		g, payer, worker := benchGate(b)
		raws := make([][]byte, 8192) // more than are remembered
		for i := range raws {
			var err error
			_, raws[i], err = payer.Issue(job, worker.Peer(), 500, now.Add(time.Minute))
			require.NoError(b, err)
		}
		req := request(payer, nil, worker.Peer())
		key := testkit.Key(0)
		message := make([]byte, 250) // about a voucher's length
		sig, pub := ed25519.Sign(key, message), key.Public().(ed25519.PublicKey)
		const round = 64
		var admitting, verifying time.Duration
		for n := 0; b.Loop(); n += round {
			start := time.Now()
			for i := range round {
				req.Voucher = raws[(n+i)%len(raws)]
				if _, err := g.Admit(req, now); err != nil {
					b.Fatal(err)
				}
			}
			middle := time.Now()
			for range round {
				if !ed25519.Verify(pub, message, sig) {
					b.Fatal("does not verify")
				}
			}
			admitting += middle.Sub(start)
			verifying += time.Since(middle)
		}
		b.ReportMetric(0, "ns/op") // of both: it says nothing
		b.ReportMetric(float64(admitting.Nanoseconds())/float64(b.N*round), "ns/admission")
		b.ReportMetric(float64(verifying.Nanoseconds())/float64(b.N*round), "ns/verification")
		b.ReportMetric(float64(admitting)/float64(verifying), "bare")
	})
}
