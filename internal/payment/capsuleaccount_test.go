package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/payment"
)

func TestUpkeepNeverPassesTheLine(t *testing.T) {
	p := newParty(t, 1) // may spend 1000
	now := p.now
	tab, err := p.purse.Open(p.wallet.Ledger(), "", "", 30, now)
	require.NoError(t, err)
	require.EqualValues(t, -300, p.spendable(t, p.wallet.Ledger()), "ten seconds are paid ahead")
	ran, dry := 0, 0
	for range 60 {
		now = now.Add(time.Second)
		if err := tab.Charge(time.Second, now); err != nil {
			require.ErrorIs(t, err, credit.ErrLedgerExhausted)
			dry++
			break
		}
		ran++
		b, _ := p.ledger.Balance(p.wallet.Ledger())
		require.GreaterOrEqual(t, b.Balance, int64(-line))
	}
	require.Equal(t, 1, dry)
	require.GreaterOrEqual(t, ran, 20)
	paid := int64(ran+1) * 30
	require.EqualValues(t, -paid, p.spendable(t, p.wallet.Ledger()), "what ran, and no more")
	require.EqualValues(t, paid, p.ledger.Earned(p.wallet.Peer()))

	// Its owner pays, it goes on; its end gives the rest of the advance back.
	require.NoError(t, p.ledger.Grant(p.wallet.Ledger(), 1000, now))
	require.NoError(t, tab.Charge(0, now))
	tab.Close(2*time.Second, now.Add(2*time.Second))
	require.EqualValues(t, 1000-paid-60, p.spendable(t, p.wallet.Ledger()))
	require.Zero(t, p.ledger.Sum())
}

func TestUpkeepIsPaidByWhoeverSpawned(t *testing.T) {
	host, guest := newParty(t, 1), newParty(t, 2)
	tab, err := host.purse.Open("", "", "", 1, host.now)
	require.NoError(t, err)
	require.Nil(t, tab, "the console's own are free")
	tab, err = host.purse.Open("", guest.wallet.Peer(), "", 1, host.now)
	require.NoError(t, err)
	require.Equal(t, guest.wallet.Ledger(), tab.Ledger())
	require.EqualValues(t, -10, host.spendable(t, guest.wallet.Ledger()), "on the stranger's line")
	_, err = host.purse.Open(host.wallet.Ledger(), guest.wallet.Peer(), "", 1, host.now)
	require.ErrorIs(t, err, credit.ErrVoucherMissing, "nobody spends another's ledger")
	require.NoError(t, host.ledger.Revoke(guest.wallet.Ledger(), host.now))
	_, err = host.purse.Open("", guest.wallet.Peer(), "", 1, host.now)
	require.ErrorIs(t, err, credit.ErrLedgerRevoked)
	require.Error(t, tab.Charge(9*time.Second, host.now.Add(9*time.Second)), "a revoked ledger runs dry")
	require.EqualValues(t, 9, host.spendable(t, host.wallet.Ledger()), "what a guest paid can be spent")
}

func TestReceiptOfARunThatTheBudgetEnded(t *testing.T) {
	payer, worker := newParty(t, 1), newParty(t, 2)
	here, _, receipt := done(t, payer, worker, 100, func(w *kernel.Work) { w.OutputCID, w.Code = "", mesh.JobCreditExhausted })
	out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.wallet.Peer(), Cost: 100, Receipt: receipt, Code: mesh.JobCreditExhausted}
	require.NoError(t, payer.purse.Pay(here, out, time.Second, payer.now))
	require.EqualValues(t, -100, payer.spendable(t, payer.wallet.Ledger()))
}

func TestReceiptOfAnotherCodeIsRefused(t *testing.T) {
	payer, worker := newParty(t, 1), newParty(t, 2)
	here, w, receipt := done(t, payer, worker, 100, func(w *kernel.Work) { w.Code = mesh.JobCreditExhausted })
	out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.wallet.Peer(), Cost: 100, Receipt: receipt, OutputCID: w.OutputCID}
	require.ErrorIs(t, payer.purse.Pay(here, out, time.Second, payer.now), credit.ErrReceiptMismatch)
}

// lost are the holds whose fate payer would ask for.
func lost(payer interface {
	Lost(now time.Time, atMost int) map[identity.PeerID][]credit.Held
}, now time.Time) (all []credit.Held) {
	for _, of := range payer.Lost(now, 64) {
		all = append(all, of...)
	}
	return all
}

// The node of an attempt that was given up is asked at once, and not once its deadline has
// passed: what it did is paid, and what it never had comes back.
func TestAnAttemptThatWasGivenUpIsAskedAfterAtOnce(t *testing.T) {
	for name, did := range map[string]bool{"it had done it": true, "it never had it": false} {
		t.Run(name, func(t *testing.T) {
			payer, worker := newParty(t, 1), newParty(t, 2)
			sub := order(t, payer, 100)
			here := payer.admit(t, sub, nil, "")
			voucher, err := payer.purse.Promise(here, worker.wallet.Peer(), terms(sub, payer.now), payer.now)
			require.NoError(t, err)
			if did {
				earning, err := worker.purse.Earn(worker.admit(t, sub, voucher, payer.wallet.Peer()), terms(sub, worker.now), worker.now)
				require.NoError(t, err)
				_, err = earning.Collect(work(sub, 30, worker.now), worker.now)
				require.NoError(t, err)
			}
			require.Empty(t, lost(payer.purse, payer.now), "its job is in hand")
			payer.purse.GiveUp(here, worker.wallet.Peer())
			held := lost(payer.purse, payer.now)
			require.Len(t, held, 1)
			answer, err := worker.purse.Answer(held[0].ID)
			require.NoError(t, err)
			if did {
				_, err = payer.purse.Late(answer, payer.now.Add(time.Second))
				require.NoError(t, err)
				require.EqualValues(t, -30, payer.spendable(t, payer.wallet.Ledger()))
			} else {
				require.Empty(t, answer)
				payer.purse.Denied(held[0], payer.now)
				require.Zero(t, payer.spendable(t, payer.wallet.Ledger()))
				_, err = worker.purse.Earn(worker.admit(t, sub, voucher, payer.wallet.Peer()), terms(sub, worker.now), worker.now)
				require.ErrorIs(t, err, credit.ErrVoucherReplayed, "what was denied is not taken after")
			}
			require.Empty(t, payer.ledger.Holds())
			require.Empty(t, lost(payer.purse, payer.now))
		})
	}
}

// A receipt that comes late settles its hold, or finds it expired: never both, in
// whatever order, and also after a restart.
func TestLateReceiptAndExpiryExcludeEachOther(t *testing.T) {
	for name, expiredFirst := range map[string]bool{"receipt first": false, "expiry first": true} {
		t.Run(name, func(t *testing.T) {
			payer, worker := newParty(t, 1), newParty(t, 2)
			sub := order(t, payer, 100)
			voucher, err := payer.purse.Promise(payer.admit(t, sub, nil, ""), worker.wallet.Peer(), terms(sub, payer.now), payer.now)
			require.NoError(t, err)
			earning, err := worker.purse.Earn(worker.admit(t, sub, voucher, payer.wallet.Peer()), terms(sub, worker.now), worker.now)
			require.NoError(t, err)
			receipt, err := earning.Collect(work(sub, 30, worker.now), worker.now)
			require.NoError(t, err)
			held := payer.ledger.Holds()
			require.Len(t, held, 1)
			require.Empty(t, lost(payer.purse, payer.now), "its job may be in hand")
			require.Len(t, lost(payer.purse, held[0].Expires), 1, "its deadline has passed")
			answer, err := worker.purse.Answer(held[0].ID)
			require.NoError(t, err)
			require.Equal(t, receipt, answer)

			again := *payer // the payer starts again
			again.wallet, err = credit.NewSigner(credit.SignerConfig{Key: keyOf(1), Codec: codec})
			require.NoError(t, err)
			again.purse, err = payment.New(payment.Config{Signer: again.wallet, Ledger: payer.ledger}, payer.now)
			require.NoError(t, err)
			require.Len(t, lost(again.purse, payer.now), 1)
			late := held[0].Expires.Add(time.Hour)
			if expiredFirst {
				ids, err := payer.ledger.Expire(late)
				require.NoError(t, err)
				require.Len(t, ids, 1)
				_, err = again.purse.Late(receipt, late)
				require.ErrorIs(t, err, credit.ErrHoldRefunded)
				require.Zero(t, payer.spendable(t, payer.wallet.Ledger()))
				return
			}
			_, err = again.purse.Late(receipt, payer.now)
			require.NoError(t, err)
			_, err = again.purse.Late(receipt, payer.now)
			require.Error(t, err, "once")
			again.purse.Denied(held[0], payer.now)
			ids, err := payer.ledger.Expire(late)
			require.NoError(t, err)
			require.Empty(t, ids)
			require.EqualValues(t, -30, payer.spendable(t, payer.wallet.Ledger()))
		})
	}
}
