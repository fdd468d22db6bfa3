package credit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/testkit"
)

func openTest(t testing.TB, log Log, change ...func(*Config)) *Ledger {
	t.Helper()
	cfg := Config{Log: log, Codec: plainCodec{}}
	for _, f := range change {
		f(&cfg)
	}
	l, err := OpenLedger(cfg)
	require.NoError(t, err)
	return l
}

func testWallet(t testing.TB, n byte) *Signer {
	t.Helper()
	w, err := NewSigner(SignerConfig{Key: testkit.Key(n), Codec: plainCodec{}})
	require.NoError(t, err)
	return w
}

// One job between a payer and a worker, each with its own books.
func TestPaidJob(t *testing.T) {
	payer, worker := testWallet(t, 1), testWallet(t, 2)
	home, away := openTest(t, &MemoryLog{}), openTest(t, &MemoryLog{}, func(c *Config) { c.StrangerLine = 5_000 })
	require.NoError(t, home.OpenAccount(payer.Ledger(), 0, testNow))
	require.NoError(t, home.Grant(payer.Ledger(), 10_000, testNow))

	covered, err := home.Authorize(payer.Ledger(), testJob(1), nil, "", "", "", 3_000, 9_000, 0, testNow)
	require.NoError(t, err)
	require.EqualValues(t, 3_000, covered)
	v, raw, err := payer.Issue(testJob(1), worker.Peer(), covered, testNow.Add(time.Minute))
	require.NoError(t, err)
	hold, err := home.Hold(v, covered, testNow)
	require.NoError(t, err)
	b, _ := home.Balance(payer.Ledger())
	require.EqualValues(t, 7_000, b.Balance)
	require.EqualValues(t, 3_000, b.Held)

	covered, err = away.Authorize(payer.Ledger(), testJob(1), raw, payer.Peer(), worker.Peer(), "", 0, 50_000, 0, testNow)
	require.NoError(t, err)
	require.EqualValues(t, 3_000, covered)
	got, err := away.HoldVoucher(raw, testJob(1), worker.Peer(), covered, Bearer{}, testNow)
	require.NoError(t, err)
	require.Equal(t, hold, got)
	_, err = away.HoldVoucher(raw, testJob(1), worker.Peer(), covered, Bearer{}, testNow)
	require.ErrorIs(t, err, ErrVoucherReplayed)
	_, err = away.Authorize(payer.Ledger(), testJob(1), raw, payer.Peer(), worker.Peer(), "", 0, 50_000, 0, testNow)
	require.ErrorIs(t, err, ErrVoucherReplayed)

	require.ErrorIs(t, away.Settle(got, worker.Peer(), 3_001, testNow), ErrOverHold)
	require.NoError(t, away.Settle(got, worker.Peer(), 1_200, testNow))
	require.ErrorIs(t, away.Refund(got, testNow), ErrHoldSettled)
	require.EqualValues(t, 1_200, away.Earned(worker.Peer()))
	b, _ = away.Balance(payer.Ledger())
	require.EqualValues(t, -1_200, b.Balance)
	require.True(t, b.Stranger)

	receipt, err := worker.Receipt(Receipt{JobID: testJob(1), LedgerID: payer.Ledger(), Cost: 1_200,
		OutputCID: "out", StartedAt: testNow, FinishedAt: testNow, VoucherNonce: v.Nonce})
	require.NoError(t, err)
	require.ErrorIs(t, payer.Check(receipt, Expect{JobID: testJob(1), OutputCID: "other"}), ErrReceiptMismatch)
	require.NoError(t, payer.Check(receipt, Expect{JobID: testJob(1), Worker: worker.Peer(), OutputCID: "out"}))
	require.ErrorIs(t, payer.Check(receipt, Expect{}), ErrReceiptUnknown)
	require.Len(t, payer.Kept(testJob(1)), 1)

	_, err = home.SettleReceipt(receipt, testNow)
	require.NoError(t, err)
	_, err = home.SettleReceipt(receipt, testNow)
	require.ErrorIs(t, err, ErrHoldSettled)
	b, _ = home.Balance(payer.Ledger())
	require.EqualValues(t, 8_800, b.Balance)
	require.EqualValues(t, 1_200, home.Earned(worker.Peer()))
	require.Zero(t, home.Sum())
	require.Zero(t, away.Sum())
}

func TestAuthorizeRefusals(t *testing.T) {
	payer, other, worker := testWallet(t, 1), testWallet(t, 2), testWallet(t, 3)
	l := openTest(t, &MemoryLog{}, func(c *Config) { c.StrangerLine = 1_000 })
	known := testkit.Ledger(9)
	require.NoError(t, l.OpenAccount(known, 500, testNow))
	revoked := testWallet(t, 8)
	require.NoError(t, l.OpenAccount(revoked.Ledger(), 500, testNow))
	require.NoError(t, l.Revoke(revoked.Ledger(), testNow))
	issue := func(w *Signer, max uint64, d time.Duration) []byte {
		_, raw, err := w.Issue(testJob(1), worker.Peer(), max, testNow.Add(d))
		require.NoError(t, err)
		return raw
	}
	good := issue(payer, 800, time.Minute)
	forged := append([]byte(nil), good...)
	for i := range forged { // a digit of the amount
		if string(forged[i:i+3]) == "800" {
			forged[i] = '9'
			break
		}
	}
	stolen := func() []byte { // other signs a voucher that names payer's ledger
		raw, err := plainCodec{}.SealVoucher(Voucher{LedgerID: payer.Ledger(), JobID: testJob(1), MaxAmount: 9,
			Expires: testNow.Add(time.Minute)}, testkit.Key(2))
		require.NoError(t, err)
		return raw
	}()
	for name, c := range map[string]struct {
		ledger  identity.LedgerID
		job     string
		voucher []byte
		from    identity.PeerID
		payee   identity.PeerID
		amount  uint64
		now     time.Time
		want    error
	}{
		"malformed ledger":  {ledger: "ledger:x", want: ErrLedgerMalformed},
		"unknown ledger":    {ledger: payer.Ledger(), want: ErrLedgerUnknown},
		"no voucher":        {ledger: known, from: worker.Peer(), want: ErrVoucherMissing},
		"revoked":           {ledger: revoked.Ledger(), want: ErrLedgerRevoked},
		"revoked, voucher":  {ledger: revoked.Ledger(), voucher: issue(revoked, 9, time.Minute), want: ErrLedgerRevoked},
		"exhausted":         {ledger: known, amount: 501, want: ErrLedgerExhausted},
		"garbage":           {ledger: payer.Ledger(), voucher: []byte("garbage"), want: ErrVoucherMalformed},
		"empty voucher":     {ledger: payer.Ledger(), voucher: []byte{}, want: ErrVoucherMalformed},
		"long voucher":      {ledger: payer.Ledger(), voucher: make([]byte, MaxVoucher+1), want: ErrVoucherMalformed},
		"forged":            {ledger: payer.Ledger(), voucher: forged, want: ErrVoucherForged},
		"stolen":            {ledger: payer.Ledger(), voucher: stolen, want: ErrVoucherForged},
		"another ledger's":  {ledger: other.Ledger(), voucher: good, want: ErrVoucherForged},
		"expired":           {ledger: payer.Ledger(), voucher: good, now: testNow.Add(time.Minute), want: ErrVoucherExpired},
		"a day late":        {ledger: payer.Ledger(), voucher: good, now: testNow.Add(24 * time.Hour), want: ErrVoucherExpired},
		"a day early":       {ledger: payer.Ledger(), voucher: good, now: testNow.Add(-25 * time.Hour), want: ErrVoucherMalformed},
		"wrong job":         {ledger: payer.Ledger(), voucher: good, job: testJob(2), want: ErrVoucherWrongJob},
		"wrong payee":       {ledger: payer.Ledger(), voucher: good, payee: other.Peer(), want: ErrVoucherWrongPayee},
		"too small":         {ledger: payer.Ledger(), voucher: good, amount: 801, want: ErrVoucherTooSmall},
		"over the line":     {ledger: payer.Ledger(), voucher: issue(payer, 5_000, time.Minute), amount: 1_001, want: ErrLedgerExhausted},
		"expires too late":  {ledger: payer.Ledger(), voucher: issue(payer, 9, 25*time.Hour), want: ErrVoucherMalformed},
		"good":              {ledger: payer.Ledger(), voucher: good},
		"good, any payee":   {ledger: payer.Ledger(), voucher: good, payee: worker.Peer()},
		"known from itself": {ledger: known, from: testkit.Peer(9), amount: 500},
	} {
		t.Run(name, func(t *testing.T) {
			if c.job == "" {
				c.job = testJob(1)
			}
			if c.now.IsZero() {
				c.now = testNow
			}
			_, err := l.Authorize(c.ledger, c.job, c.voucher, c.from, c.payee, "", c.amount, 10_000, 0, c.now)
			require.ErrorIs(t, err, c.want)
			if c.want == nil {
				require.NoError(t, err)
			}
		})
	}
}

func TestExpiryAndLateReceipt(t *testing.T) {
	payer, worker := testWallet(t, 1), testWallet(t, 2)
	l := openTest(t, &MemoryLog{})
	require.NoError(t, l.OpenAccount(payer.Ledger(), 100, testNow))
	v, raw, err := payer.Issue(testJob(1), "", 60, testNow.Add(time.Minute))
	require.NoError(t, err)
	id, err := l.Hold(v, 60, testNow)
	require.NoError(t, err)
	gone, err := l.Expire(testNow.Add(time.Minute))
	require.NoError(t, err)
	require.Empty(t, gone, "the grace has not passed")
	gone, err = l.Expire(testNow.Add(2 * time.Minute))
	require.NoError(t, err)
	require.Equal(t, []HoldID{id}, gone)
	require.ErrorIs(t, l.Settle(id, worker.Peer(), 10, testNow.Add(2*time.Minute)), ErrHoldRefunded)
	// The clock of the caller falls back: the voucher stays spent, and stays expired.
	_, err = l.Hold(v, 60, testNow)
	require.ErrorIs(t, err, ErrVoucherReplayed)
	for i := range 4 {
		require.NoError(t, l.Grant(payer.Ledger(), 1, testNow.Add(time.Hour+time.Duration(i))))
	}
	require.Empty(t, l.state.spent.of, "its fate is forgotten")
	require.ErrorIs(t, l.Settle(id, worker.Peer(), 10, testNow), ErrNoHold)
	_, err = l.HoldVoucher(raw, testJob(1), worker.Peer(), 60, Bearer{}, testNow)
	require.ErrorIs(t, err, ErrVoucherExpired)
	require.Zero(t, l.Sum())
}
