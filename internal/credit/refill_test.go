package credit

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/testkit"
)

func (x *node) of(t require.TestingT, o *node) Balance {
	b, ok := x.ledger.Balance(o.wallet.Ledger())
	require.True(t, ok)
	return b
}

// ownBooks opens x's books again as the ledger of x's own node.
func (x *node) ownBooks(t require.TestingT, line uint64) {
	require.NoError(t, x.ledger.Close())
	var err error
	x.ledger, err = OpenLedger(Config{Log: x.log, Codec: plainCodec{}, StrangerLine: line, Self: x.wallet.Peer(), CheckpointEvery: 7})
	require.NoError(t, err)
}

// A node can spend what it earns. Buying and selling for the same amount leaves its own ledger
// unchanged, and so does a job on its own node.
func TestEarningsReturnToTheOwnLedger(t *testing.T) {
	a, b := newNode(t, 1, 1000), newNode(t, 2, 1000)
	a.ownBooks(t, 1000)
	b.ownBooks(t, 1000)
	for i := range 5 {
		a.job(t, b, 10+i, 100, false)
		require.EqualValues(t, 1_000_000-100, a.of(t, a).Balance)
		b.job(t, a, 20+i, 100, false)
		require.EqualValues(t, 1_000_000, a.of(t, a).Balance)
	}
	v, _, err := a.wallet.Issue(testJob(30), a.wallet.Peer(), 100, testNow.Add(time.Hour))
	require.NoError(t, err)
	id, err := a.ledger.Hold(v, 100, testNow)
	require.NoError(t, err)
	require.NoError(t, a.ledger.Settle(id, a.wallet.Peer(), 60, testNow))
	require.EqualValues(t, 1_000_000, a.of(t, a).Balance)
	require.Zero(t, a.ledger.Earned(a.wallet.Peer()))
	cheque, err := a.ledger.Draw(a.wallet, b.wallet.Peer(), testNow)
	require.NoError(t, err)
	_, err = b.ledger.Take(cheque, b.wallet.Peer(), testNow)
	require.NoError(t, err)
	for _, x := range []*node{a, b} {
		require.EqualValues(t, 1_000_000, x.of(t, x).Balance)
		require.Zero(t, x.ledger.Sum())
		_, err := Verify(x.log, nil)
		require.NoError(t, err)
	}
	require.Zero(t, a.standing(t, b))
	require.Zero(t, b.standing(t, a))
}

// A cheque is never refused. Its promise uses the drawer's line as the debt did, until the
// payee's own debts redeem it.
func TestRedeemedPromisesFreeTheLine(t *testing.T) {
	const line = 100_000
	a, b := newNode(t, 1, line), newNode(t, 2, line)
	clears := func(from, to *node) {
		cheque, err := from.ledger.Draw(from.wallet, to.wallet.Peer(), testNow)
		require.NoError(t, err)
		_, err = to.ledger.Take(cheque, to.wallet.Peer(), testNow)
		require.NoError(t, err)
		require.Equal(t, from.standing(t, to).Drawn, to.standing(t, from).Promised)
	}
	for i := range 3 {
		a.job(t, b, i, 30_000, false)
		clears(a, b)
		require.EqualValues(t, line-30_000*(i+1), b.of(t, a).Available())
	}
	require.Equal(t, Standing{Promised: 90_000}, b.standing(t, a))
	_, raw, err := a.wallet.Issue(testJob(9), b.wallet.Peer(), 30_000, testNow.Add(time.Hour))
	require.NoError(t, err)
	_, err = b.ledger.HoldVoucher(raw, testJob(9), b.wallet.Peer(), 30_000, Bearer{}, testNow)
	require.ErrorIs(t, err, ErrLedgerExhausted, "a promise is no money: the line is used up")
	_, err = b.ledger.Authorize(a.wallet.Ledger(), testJob(9), raw, a.wallet.Peer(), b.wallet.Peer(), "", 30_000, 1<<40, 0, testNow)
	require.ErrorIs(t, err, ErrLedgerExhausted)
	covered, err := b.ledger.Authorize(a.wallet.Ledger(), testJob(9), raw, a.wallet.Peer(), b.wallet.Peer(), "", 0, 1<<40, 0, testNow)
	require.NoError(t, err)
	require.EqualValues(t, 10_000, covered)

	// B buys from A and pays with A's promises.
	b.job(t, a, 20, 70_000, false)
	clears(b, a)
	require.Equal(t, Standing{Promised: 20_000}, b.standing(t, a))
	require.Equal(t, Standing{Drawn: 20_000}, a.standing(t, b))
	require.EqualValues(t, 80_000, b.of(t, a).Available())
	require.EqualValues(t, line, a.of(t, b).Available())
	a.job(t, b, 21, 30_000, false)
	b.job(t, a, 22, 90_000, false)
	clears(b, a)
	require.Equal(t, Standing{Promised: 40_000}, a.standing(t, b), "what is left is B's promise")
	require.Equal(t, Standing{Drawn: 40_000}, b.standing(t, a))

	// The owner of B's books was paid otherwise, or grants more.
	require.NoError(t, a.ledger.OpenAccount(b.wallet.Ledger(), line, testNow))
	require.NoError(t, a.ledger.Grant(b.wallet.Ledger(), 40_000, testNow))
	require.EqualValues(t, line, a.of(t, b).Available())
	for _, x := range []*node{a, b} {
		require.Zero(t, x.ledger.Sum())
		_, err := Verify(x.log, nil)
		require.NoError(t, err)
	}
}

// An unproven account that owes keeps its place for a time in proportion to its debt, so nobody
// keeps all others out at almost no cost.
func TestStrangersAgeOut(t *testing.T) {
	log := &MemoryLog{}
	l := openTest(t, log, func(c *Config) {
		c.StrangerLine, c.MaxStrangers, c.StrangerAge, c.CheckpointEvery = 1000, 4, 1000*time.Second, 3
	})
	arrive := func(n byte, cost uint64, now time.Time) (HoldID, error) {
		_, raw, err := testWallet(t, n).Issue(testJob(1), "", max(cost, 1), now.Add(time.Minute))
		require.NoError(t, err)
		id, err := l.HoldVoucher(raw, testJob(1), testkit.Peer(99), max(cost, 1), Bearer{}, now)
		if err == nil {
			require.NoError(t, l.Settle(id, testkit.Peer(99), cost, now))
		}
		return id, err
	}
	for n := byte(1); n <= 4; n++ {
		_, err := arrive(n, uint64(n)*100, testNow)
		require.NoError(t, err)
	}
	_, err := arrive(5, 1, testNow.Add(99*time.Second))
	require.ErrorIs(t, err, ErrLedgerExhausted, "a tenth of a line keeps the place for a tenth of the time")
	_, raw, err := testWallet(t, 5).Issue(testJob(1), "", 1, testNow.Add(time.Minute))
	require.NoError(t, err)
	_, err = l.Authorize(testkit.Ledger(5), testJob(1), raw, "", "", "", 1, 1, 0, testNow)
	require.ErrorIs(t, err, ErrLedgerExhausted)
	now := testNow.Add(100 * time.Second)
	_, err = arrive(5, 1, now)
	require.NoError(t, err)
	_, known := l.Balance(testkit.Ledger(1))
	require.False(t, known, "it owed the least")
	_, err = arrive(6, 1, now.Add(time.Second))
	require.NoError(t, err, "a thousandth of the line is gone after a second")
	_, known = l.Balance(testkit.Ledger(5))
	require.False(t, known)
	require.Zero(t, l.Sum(), "what is written off comes from somewhere")
	r, err := Verify(log, nil)
	require.NoError(t, err)
	require.EqualValues(t, 101, r.Granted)

	// A clock that was ahead when it was last heard of keeps nobody's place for good.
	_, err = arrive(6, 1, testNow.Add(1000*time.Hour))
	require.NoError(t, err)
	_, err = arrive(7, 1, now.Add(time.Minute))
	require.NoError(t, err)
	_, err = arrive(8, 1, now.Add(2*time.Minute))
	require.NoError(t, err)

	// Who has something held, has money, is revoked, or has been told to stay, does not go.
	far := now.Add(1000 * time.Hour)
	l = openTest(t, &MemoryLog{}, func(c *Config) { c.StrangerLine, c.MaxStrangers = 1000, 1 })
	_, raw, err = testWallet(t, 1).Issue(testJob(1), "", 10, testNow.Add(time.Hour))
	require.NoError(t, err)
	held, err := l.HoldVoucher(raw, testJob(1), testkit.Peer(99), 10, Bearer{}, testNow)
	require.NoError(t, err)
	_, err = arrive(2, 1, far)
	require.ErrorIs(t, err, ErrLedgerExhausted, "held")
	require.NoError(t, l.Refund(held, testNow))
	require.NoError(t, l.Revoke(testkit.Ledger(1), testNow))
	_, err = arrive(2, 1, far)
	require.ErrorIs(t, err, ErrLedgerExhausted, "revoked: it would come back as a stranger")
	require.NoError(t, l.Restore(testkit.Ledger(1), testNow))
	require.NoError(t, l.Grant(testkit.Ledger(1), 5, testNow))
	_, err = arrive(2, 1, far)
	require.ErrorIs(t, err, ErrLedgerExhausted, "it has money")
	require.NoError(t, l.OpenAccount(testkit.Ledger(1), 20, testNow))
	b, _ := l.Balance(testkit.Ledger(1))
	require.False(t, b.Stranger)
	_, err = arrive(2, 1, far)
	require.NoError(t, err, "who is no stranger takes no stranger's place")
	require.NoError(t, l.OpenAccount(testkit.Ledger(2), 20, testNow))
	_, err = arrive(3, 1, far)
	require.NoError(t, err)
	// One that has promised leaves with its promises, and an old cheque is no money.
	cheque, err := plainCodec{}.SealCheque(Cheque{Drawer: testkit.Peer(3), Payee: testkit.Peer(99), Sequence: 1, Paid: 900}, testkit.Key(3))
	require.NoError(t, err)
	_, err = l.Take(cheque, testkit.Peer(99), far)
	require.NoError(t, err)
	_, err = arrive(4, 0, far.Add(time.Hour))
	require.NoError(t, err)
	_, err = arrive(3, 0, far.Add(time.Hour))
	require.NoError(t, err)
	_, err = l.Take(cheque, testkit.Peer(99), far)
	require.NoError(t, err)
	b, _ = l.Balance(testkit.Ledger(3))
	require.EqualValues(t, 1000, b.Available())
	require.Zero(t, l.Sum())
}

// Used vouchers are bounded by memory only: a ledger with room for 100 holds settles any number
// of jobs.
func TestUsedVouchersAreNoRateLimit(t *testing.T) {
	l := openTest(t, &MemoryLog{}, func(c *Config) { c.MaxHolds, c.MaxSpent = 100, 20_000 })
	require.NoError(t, l.OpenAccount(testkit.Ledger(1), 1<<50, testNow))
	now := testNow
	do := func(n int) error {
		v := Voucher{LedgerID: testkit.Ledger(1), JobID: testJob(1), Payee: testkit.Peer(2), MaxAmount: 1, Expires: now.Add(2 * time.Minute)}
		binary.BigEndian.PutUint64(v.Nonce[:], uint64(n))
		id, err := l.Hold(v, 1, now)
		if err != nil {
			return err
		}
		_, err = l.Hold(v, 1, now)
		require.ErrorIs(t, err, ErrVoucherReplayed)
		require.NoError(t, l.Settle(id, testkit.Peer(2), 1, now))
		_, err = l.Hold(v, 1, now)
		require.Error(t, err)
		return nil
	}
	for n := range 50_000 { // 100 a second: 12,000 lie within two minutes
		now = now.Add(10 * time.Millisecond)
		require.NoError(t, do(n))
	}
	require.InDelta(t, 12_000, len(l.state.spent.of), 200, "no more than could be used again")
	for n := range 20_000 {
		if err := do(50_000 + n); err != nil {
			require.ErrorIs(t, err, ErrBusy)
			require.Equal(t, 20_000, len(l.state.spent.of))
			return
		}
	}
	t.Fatal("memory is bounded")
}

// A clock is a day wrong, for a while or for good, ahead or behind. Nothing pays twice, and
// payment continues once the clock is right.
func TestClockSkewOfADay(t *testing.T) {
	const day = 24 * time.Hour
	for name, skew := range map[string]time.Duration{"ahead": day, "behind": -day, "in 2100": 74 * 365 * day} {
		t.Run(name, func(t *testing.T) {
			log := &MemoryLog{}
			l := openTest(t, log, func(c *Config) { c.CheckpointEvery = 5 })
			payer := testWallet(t, 1)
			require.NoError(t, l.OpenAccount(payer.Ledger(), 10_000, testNow))
			var used [][]byte
			pay := func(now time.Time) {
				v, raw, err := payer.Issue(testJob(1), testkit.Peer(2), 10, now.Add(2*time.Minute))
				require.NoError(t, err)
				_, err = l.Authorize(payer.Ledger(), testJob(1), raw, "", testkit.Peer(2), "", 10, 10, 0, now)
				require.NoError(t, err)
				id, err := l.Hold(v, 10, now)
				require.NoError(t, err)
				require.NoError(t, l.Settle(id, testkit.Peer(2), 10, now))
				used = append(used, raw)
			}
			for range 3 {
				pay(testNow)
			}
			for range 9 { // enough to forget what had been used before
				pay(testNow.Add(skew))
			}
			// The clock is put right.
			for i := range 5 {
				pay(testNow.Add(3*time.Minute + time.Duration(i)*time.Second))
			}
			for at, now := range map[string]time.Time{"now": testNow, "then": testNow.Add(skew), "later": testNow.Add(4 * time.Minute)} {
				for _, raw := range used {
					_, err := l.HoldVoucher(raw, testJob(1), testkit.Peer(2), 10, Bearer{}, now)
					require.Error(t, err, at)
				}
			}
			b, _ := l.Balance(payer.Ledger())
			require.EqualValues(t, -170, b.Balance)
			require.NoError(t, l.Close())
			l = openTest(t, log)
			pay(testNow.Add(5 * time.Minute))
			_, err := Verify(log, nil)
			require.NoError(t, err)
		})
	}
}

// A voucher that may have been forgotten is refused before it is held.
func TestAuthorizeRefusesWhatMayBeForgotten(t *testing.T) {
	payer := testWallet(t, 1)
	l := openTest(t, &MemoryLog{})
	require.NoError(t, l.OpenAccount(payer.Ledger(), 100, testNow))
	v, raw, err := payer.Issue(testJob(1), "", 10, testNow.Add(time.Minute))
	require.NoError(t, err)
	id, err := l.Hold(v, 10, testNow)
	require.NoError(t, err)
	require.NoError(t, l.Refund(id, testNow))
	for range 3 { // the clock runs ahead, and is put right
		require.NoError(t, l.Grant(payer.Ledger(), 1, testNow.Add(time.Hour)))
	}
	require.Empty(t, l.state.spent.of)
	_, err = l.Authorize(payer.Ledger(), testJob(1), raw, "", "", "", 10, 10, 0, testNow)
	require.ErrorIs(t, err, ErrVoucherExpired)
	_, err = l.HoldVoucher(raw, testJob(1), testkit.Peer(2), 10, Bearer{}, testNow)
	require.ErrorIs(t, err, ErrVoucherExpired)
}

// A hold settles only to the payee and for the purpose it was made for.
func TestSettleKnowsPayeeAndJob(t *testing.T) {
	payer, worker, other := testWallet(t, 1), testWallet(t, 2), testWallet(t, 3)
	l := openTest(t, &MemoryLog{})
	require.NoError(t, l.OpenAccount(payer.Ledger(), 100, testNow))
	v, _, err := payer.Issue(testJob(1), worker.Peer(), 10, testNow.Add(time.Minute))
	require.NoError(t, err)
	id, err := l.Hold(v, 10, testNow)
	require.NoError(t, err)
	require.ErrorIs(t, l.Settle(id, other.Peer(), 1, testNow), ErrVoucherWrongPayee)
	bill := func(w *Signer, job string) error {
		raw, err := w.Receipt(Receipt{JobID: job, LedgerID: payer.Ledger(), Cost: 1, StartedAt: testNow, FinishedAt: testNow, VoucherNonce: v.Nonce})
		require.NoError(t, err)
		_, err = l.SettleReceipt(raw, testNow)
		return err
	}
	require.ErrorIs(t, bill(worker, testJob(2)), ErrReceiptMismatch)
	require.ErrorIs(t, bill(other, testJob(1)), ErrVoucherWrongPayee)
	require.NoError(t, bill(worker, testJob(1)))
}

// A checkpoint of an earlier version is ignored, since the log holds the same facts.
func TestOutdatedCheckpointIsPassedOver(t *testing.T) {
	for _, magic := range []uint64{firstMagic, secondMagic, fourthMagic} {
		log := busyLog(t)
		want := openTest(t, log)
		binary.BigEndian.PutUint64(log.state, magic)
		got := openTest(t, log)
		require.True(t, want.state.equal(got.state))
		_, err := Verify(log, nil)
		require.NoError(t, err)
	}
}
