package credit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/testkit"
)

// A voucher that waits long for its receipt is not pushed out by short-lived ones.
func TestWalletKeepsOpenVouchers(t *testing.T) {
	payer, err := NewSigner(SignerConfig{Key: testkit.Key(1), Codec: plainCodec{}, Keep: 8})
	require.NoError(t, err)
	worker := testWallet(t, 2)
	receipt := func(v Voucher) []byte {
		r, err := worker.Receipt(Receipt{JobID: v.JobID, LedgerID: payer.Ledger(), Cost: 1, StartedAt: testNow, FinishedAt: testNow, VoucherNonce: v.Nonce})
		require.NoError(t, err)
		return r
	}
	long, _, err := payer.Issue(testJob(1), worker.Peer(), 100, testNow.Add(time.Hour))
	require.NoError(t, err)
	for range 100 {
		v, _, err := payer.Issue(testJob(2), worker.Peer(), 100, testNow.Add(time.Hour))
		require.NoError(t, err)
		require.NoError(t, payer.Check(receipt(v), Expect{}))
		require.LessOrEqual(t, len(payer.order), 16)
	}
	require.NoError(t, payer.Check(receipt(long), Expect{}))

	// Of those that are open the oldest goes.
	var open []Voucher
	for range 9 {
		v, _, err := payer.Issue(testJob(3), worker.Peer(), 100, testNow.Add(time.Hour))
		require.NoError(t, err)
		open = append(open, v)
	}
	require.ErrorIs(t, payer.Check(receipt(open[0]), Expect{}), ErrReceiptUnknown)
	require.NoError(t, payer.Check(receipt(open[1]), Expect{}))
}

// A receipt must match its voucher and be consistent. Read closes nothing.
func TestWalletReadsReceiptsAgainstTheirVoucher(t *testing.T) {
	payer, worker, other := testWallet(t, 1), testWallet(t, 2), testWallet(t, 3)
	v, _, err := payer.Issue(testJob(1), worker.Peer(), 100, testNow.Add(time.Hour))
	require.NoError(t, err)
	good := Receipt{JobID: testJob(1), LedgerID: payer.Ledger(), Cost: 100, StartedAt: testNow, FinishedAt: testNow, VoucherNonce: v.Nonce}
	for name, c := range map[string]struct {
		by     *Signer
		change func(*Receipt)
		want   error
	}{
		"cost above the voucher": {worker, func(r *Receipt) { r.Cost = 101 }, ErrReceiptMismatch},
		"time runs backwards":    {worker, func(r *Receipt) { r.FinishedAt = r.StartedAt.Add(-1) }, ErrReceiptMismatch},
		"another job":            {worker, func(r *Receipt) { r.JobID = testJob(2) }, ErrReceiptMismatch},
		"another worker":         {other, func(*Receipt) {}, ErrReceiptMismatch},
		"another ledger":         {worker, func(r *Receipt) { r.LedgerID = other.Ledger() }, ErrReceiptUnknown},
		"another voucher":        {worker, func(r *Receipt) { r.VoucherNonce[0]++ }, ErrReceiptUnknown},
	} {
		r := good
		c.change(&r)
		raw, err := c.by.Receipt(r)
		require.NoError(t, err)
		_, err = payer.Read(raw, Expect{})
		require.ErrorIs(t, err, c.want, name)
	}
	raw, err := worker.Receipt(good)
	require.NoError(t, err)
	for range 2 {
		_, err = payer.Read(raw, Expect{Cost: 100})
		require.NoError(t, err)
	}
	_, err = payer.Read(raw, Expect{Cost: 99})
	require.ErrorIs(t, err, ErrReceiptMismatch)
	r, err := payer.Read(raw, Expect{})
	require.NoError(t, err)
	payer.Close(r, raw)
	payer.Close(r, raw)
	require.Len(t, payer.Kept(testJob(1)), 1)
	_, err = payer.Read(raw, Expect{})
	require.ErrorIs(t, err, ErrReceiptUnknown)
}
