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
	"inos/internal/testkit"
	"inos/internal/testkit/accounts"
	"inos/internal/wire"
)

func TestUpkeepNeverPassesTheLine(t *testing.T) {
	p := accounts.New(t, 1) // may spend 1000
	now := p.Now
	tab, err := p.Payment.Open(p.Signer.Ledger(), "", "", 30, now)
	require.NoError(t, err)
	require.EqualValues(t, -300, p.Balance(t, p.Signer.Ledger()), "ten seconds are paid ahead")
	ran, dry := 0, 0
	for range 60 {
		now = now.Add(time.Second)
		if err := tab.Charge(time.Second, now); err != nil {
			require.ErrorIs(t, err, credit.ErrLedgerExhausted)
			dry++
			break
		}
		ran++
		b, _ := p.Ledger.Balance(p.Signer.Ledger())
		require.GreaterOrEqual(t, b.Balance, int64(-accounts.Line))
	}
	require.Equal(t, 1, dry)
	require.GreaterOrEqual(t, ran, 20)
	paid := int64(ran+1) * 30
	require.EqualValues(t, -paid, p.Balance(t, p.Signer.Ledger()), "what ran, and no more")
	require.EqualValues(t, paid, p.Ledger.Earned(p.Signer.Peer()))

	// Its owner pays, it goes on; its end gives the rest of the advance back.
	require.NoError(t, p.Ledger.Grant(p.Signer.Ledger(), 1000, now))
	require.NoError(t, tab.Charge(0, now))
	tab.Close(2*time.Second, now.Add(2*time.Second))
	require.EqualValues(t, 1000-paid-60, p.Balance(t, p.Signer.Ledger()))
	require.Zero(t, p.Ledger.Sum())
}

func TestUpkeepIsPaidByWhoeverSpawned(t *testing.T) {
	host, guest := accounts.New(t, 1), accounts.New(t, 2)
	tab, err := host.Payment.Open("", "", "", 1, host.Now)
	require.NoError(t, err)
	require.Nil(t, tab, "the console's own are free")
	tab, err = host.Payment.Open("", guest.Signer.Peer(), "", 1, host.Now)
	require.NoError(t, err)
	require.Equal(t, guest.Signer.Ledger(), tab.Ledger())
	require.EqualValues(t, -10, host.Balance(t, guest.Signer.Ledger()), "on the stranger's line")
	_, err = host.Payment.Open(host.Signer.Ledger(), guest.Signer.Peer(), "", 1, host.Now)
	require.ErrorIs(t, err, credit.ErrVoucherMissing, "nobody spends another's ledger")
	require.NoError(t, host.Ledger.Revoke(guest.Signer.Ledger(), host.Now))
	_, err = host.Payment.Open("", guest.Signer.Peer(), "", 1, host.Now)
	require.ErrorIs(t, err, credit.ErrLedgerRevoked)
	require.Error(t, tab.Charge(9*time.Second, host.Now.Add(9*time.Second)), "a revoked ledger runs dry")
	require.EqualValues(t, 9, host.Balance(t, host.Signer.Ledger()), "what a guest paid can be spent")
}

func TestReceiptOfARunThatTheBudgetEnded(t *testing.T) {
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	here, _, receipt := done(t, payer, worker, 100, func(w *kernel.Work) { w.OutputCID, w.Code = "", mesh.JobCreditExhausted })
	out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.Signer.Peer(), Cost: 100, Receipt: receipt, Code: mesh.JobCreditExhausted}
	require.NoError(t, payer.Payment.Pay(here, out, time.Second, payer.Now))
	require.EqualValues(t, -100, payer.Balance(t, payer.Signer.Ledger()))
}

func TestReceiptOfAnotherCodeIsRefused(t *testing.T) {
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	here, w, receipt := done(t, payer, worker, 100, func(w *kernel.Work) { w.Code = mesh.JobCreditExhausted })
	out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.Signer.Peer(), Cost: 100, Receipt: receipt, OutputCID: w.OutputCID}
	require.ErrorIs(t, payer.Payment.Pay(here, out, time.Second, payer.Now), credit.ErrReceiptMismatch)
}

// lost returns the holds that payer would ask about.
func lost(payer interface {
	Lost(now time.Time, atMost int) map[identity.PeerID][]credit.Held
}, now time.Time) (all []credit.Held) {
	for _, of := range payer.Lost(now, 64) {
		all = append(all, of...)
	}
	return all
}

// The node of an abandoned attempt is asked at once, not only after its deadline. Work that it
// did is paid; the hold of a job that it never had is refunded.
func TestAnAttemptThatWasGivenUpIsAskedAfterAtOnce(t *testing.T) {
	for name, did := range map[string]bool{"it had done it": true, "it never had it": false} {
		t.Run(name, func(t *testing.T) {
			payer, worker := accounts.New(t, 1), accounts.New(t, 2)
			sub := payer.Order(t, 100)
			here := payer.Admit(t, sub, nil, "")
			voucher, err := payer.Payment.Promise(here, worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
			require.NoError(t, err)
			if did {
				earning, err := worker.Payment.Earn(worker.Admit(t, sub, voucher, payer.Signer.Peer()), accounts.Terms(sub, worker.Now), worker.Now)
				require.NoError(t, err)
				_, err = earning.Collect(accounts.Work(sub, 30, worker.Now), worker.Now)
				require.NoError(t, err)
			}
			require.Empty(t, lost(payer.Payment, payer.Now), "its job is in hand")
			payer.Payment.GiveUp(here, worker.Signer.Peer())
			held := lost(payer.Payment, payer.Now)
			require.Len(t, held, 1)
			answer, err := worker.Payment.Answer(held[0].ID)
			require.NoError(t, err)
			if did {
				_, err = payer.Payment.Late(answer, payer.Now.Add(time.Second))
				require.NoError(t, err)
				require.EqualValues(t, -30, payer.Balance(t, payer.Signer.Ledger()))
			} else {
				require.Empty(t, answer)
				payer.Payment.Denied(held[0], payer.Now)
				require.Zero(t, payer.Balance(t, payer.Signer.Ledger()))
				_, err = worker.Payment.Earn(worker.Admit(t, sub, voucher, payer.Signer.Peer()), accounts.Terms(sub, worker.Now), worker.Now)
				require.ErrorIs(t, err, credit.ErrVoucherReplayed, "what was denied is not taken after")
			}
			require.Empty(t, payer.Ledger.Holds())
			require.Empty(t, lost(payer.Payment, payer.Now))
		})
	}
}

// A late receipt either settles its hold or finds it expired, never both, in any order and after
// a restart too.
func TestLateReceiptAndExpiryExcludeEachOther(t *testing.T) {
	for name, expiredFirst := range map[string]bool{"receipt first": false, "expiry first": true} {
		t.Run(name, func(t *testing.T) {
			payer, worker := accounts.New(t, 1), accounts.New(t, 2)
			sub := payer.Order(t, 100)
			voucher, err := payer.Payment.Promise(payer.Admit(t, sub, nil, ""), worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
			require.NoError(t, err)
			earning, err := worker.Payment.Earn(worker.Admit(t, sub, voucher, payer.Signer.Peer()), accounts.Terms(sub, worker.Now), worker.Now)
			require.NoError(t, err)
			receipt, err := earning.Collect(accounts.Work(sub, 30, worker.Now), worker.Now)
			require.NoError(t, err)
			held := payer.Ledger.Holds()
			require.Len(t, held, 1)
			require.Empty(t, lost(payer.Payment, payer.Now), "its job may be in hand")
			require.Len(t, lost(payer.Payment, held[0].Expires), 1, "its deadline has passed")
			answer, err := worker.Payment.Answer(held[0].ID)
			require.NoError(t, err)
			require.Equal(t, receipt, answer)

			again := *payer // the payer starts again
			again.Signer, err = credit.NewSigner(credit.SignerConfig{Key: testkit.Key(1), Codec: wire.Credit{}})
			require.NoError(t, err)
			again.Payment, err = payment.New(payment.Config{Signer: again.Signer, Ledger: payer.Ledger}, payer.Now)
			require.NoError(t, err)
			require.Len(t, lost(again.Payment, payer.Now), 1)
			late := held[0].Expires.Add(time.Hour)
			if expiredFirst {
				ids, err := payer.Ledger.Expire(late)
				require.NoError(t, err)
				require.Len(t, ids, 1)
				_, err = again.Payment.Late(receipt, late)
				require.ErrorIs(t, err, credit.ErrHoldRefunded)
				require.Zero(t, payer.Balance(t, payer.Signer.Ledger()))
				return
			}
			_, err = again.Payment.Late(receipt, payer.Now)
			require.NoError(t, err)
			_, err = again.Payment.Late(receipt, payer.Now)
			require.Error(t, err, "once")
			again.Payment.Denied(held[0], payer.Now)
			ids, err := payer.Ledger.Expire(late)
			require.NoError(t, err)
			require.Empty(t, ids)
			require.EqualValues(t, -30, payer.Balance(t, payer.Signer.Ledger()))
		})
	}
}
