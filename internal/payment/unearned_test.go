package payment_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/payment"
	"inos/internal/testkit"
	"inos/internal/testkit/accounts"
	"inos/internal/wire"
)

// crashed returns a worker that ended in the middle of a job of payer's, whose voucher it held.
func crashed(t *testing.T, payer *accounts.Party, log credit.Log, kv payment.Store) (id credit.HoldID, sub kernel.Submission, voucher []byte) {
	t.Helper()
	worker := accounts.Open(t, accounts.Config{Key: 2, Log: log, Keep: kv})
	sub = payer.Order(t, 100)
	var err error
	voucher, err = payer.Payment.Promise(payer.Admit(t, sub, nil, ""), worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
	require.NoError(t, err)
	_, err = worker.Payment.Earn(worker.Admit(t, sub, voucher, payer.Signer.Peer()), accounts.Terms(sub, worker.Now), worker.Now)
	require.NoError(t, err)
	holds := worker.Ledger.Holds()
	require.Len(t, holds, 1)
	return holds[0].ID, sub, voucher
}

// reopened opens the worker's books as a new process does.
func reopened(t *testing.T, log credit.Log, kv payment.Store) *accounts.Party {
	t.Helper()
	return accounts.Open(t, accounts.Config{Key: 2, Log: log, Keep: kv})
}

// A restarted worker refunds what it held for a job that never ended and never accepts that
// voucher again. It remembers whom to tell until it has told them.
func TestWhatNeverEndedIsGivenBack(t *testing.T) {
	payer, log, kv := accounts.New(t, 1), &credit.MemoryLog{}, &testkit.KVStore{}
	id, sub, voucher := crashed(t, payer, log, kv)
	w := reopened(t, log, kv)
	require.Empty(t, w.Ledger.Holds())
	require.Zero(t, w.Balance(t, payer.Signer.Ledger()))
	require.Equal(t, credit.FateRefunded, w.Ledger.Fate(id))
	tell := map[identity.PeerID][]credit.HoldID{payer.Signer.Peer(): {id}}
	require.Equal(t, tell, w.Payment.Unearned(w.Now))
	_, err := w.Ledger.HoldVoucher(voucher, sub.Job.ID, w.Signer.Peer(), 100, credit.Bearer{Peer: payer.Signer.Peer()}, w.Now)
	require.ErrorIs(t, err, credit.ErrVoucherReplayed)

	w = reopened(t, log, kv)
	require.Equal(t, tell, w.Payment.Unearned(w.Now), "it ended before it could say so")
	require.Empty(t, w.Payment.Unearned(w.Now.Add(time.Hour)), "the voucher has expired")
	late, err := payment.New(payment.Config{Signer: w.Signer, Ledger: w.Ledger, Keep: kv.Clone()}, w.Now.Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, late.Unearned(w.Now))
	w.Payment.Told([]credit.HoldID{id})
	require.Empty(t, w.Payment.Unearned(w.Now))
	require.Empty(t, reopened(t, log, kv).Payment.Unearned(w.Now))
}

// A crash at any point of the refund is continued by the next start.
func TestGivingBackIsInterrupted(t *testing.T) {
	payer, log, kv := accounts.New(t, 1), &accounts.FullLog{}, &testkit.KVStore{}
	id, _, _ := crashed(t, payer, log, kv)
	w := accounts.New(t, 2)
	diskParty, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}, Self: w.Signer.Peer(), StrangerLine: accounts.Line})
	require.NoError(t, err)
	open := func(keep payment.Store) error {
		_, err := payment.New(payment.Config{Signer: w.Signer, Ledger: diskParty, Keep: keep}, w.Now)
		return err
	}
	for _, at := range []*func(){&kv.Before, &kv.After} {
		*at = func() { panic("power off") }
		require.Panics(t, func() { _ = open(kv) })
		*at = nil
		require.Equal(t, credit.FateHeld, diskParty.Fate(id), "nothing is given back before it is known whom to tell")
	}
	log.Fail(errFull)
	require.ErrorIs(t, open(kv), credit.ErrFailed)
	require.Equal(t, credit.FateHeld, diskParty.Fate(id))
	log.Fail(nil)
	after := reopened(t, log, kv)
	require.Equal(t, credit.FateRefunded, after.Ledger.Fate(id))
	require.Len(t, after.Payment.Unearned(after.Now), 1)
}

// A payer takes back only what the voucher's payee reports. What has been paid stays paid, and a
// refund that a full log refused is not taken as done.
func TestAPayerTakesBackWhatIsNotBilled(t *testing.T) {
	log := &accounts.FullLog{}
	payer, worker, other := accounts.Open(t, accounts.Config{Key: 1, Log: log}), accounts.New(t, 2), accounts.New(t, 3)
	sub := payer.Order(t, 100)
	here := payer.Admit(t, sub, nil, "")
	_, err := payer.Payment.Promise(here, worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
	require.NoError(t, err)
	first := payer.Ledger.Holds()[0].ID
	take := func(from *accounts.Party) error {
		return payer.Payment.TakeBack(first.Nonce, from.Signer.Peer(), payer.Now)
	}
	require.NoError(t, take(other))
	require.NoError(t, take(payer))
	require.EqualValues(t, -100, payer.Balance(t, payer.Signer.Ledger()))
	log.Fail(errFull)
	require.ErrorIs(t, take(worker), credit.ErrFailed)
	log.Fail(nil)
	payer.Now = payer.Now.Add(time.Minute)
	err = take(worker)
	if errors.Is(err, credit.ErrFailed) { // the ledger reads its log anew first
		err = take(worker)
	}
	require.NoError(t, err)
	require.Zero(t, payer.Balance(t, payer.Signer.Ledger()))
	require.NoError(t, take(worker), "once more")

	// The same node has been promised the same job anew: that promise stands.
	_, err = payer.Payment.Promise(here, worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
	require.NoError(t, err)
	require.NoError(t, take(worker))
	require.EqualValues(t, -100, payer.Balance(t, payer.Signer.Ledger()))
	payer.Payment.Withdraw(here, worker.Signer.Peer(), payer.Now)
	require.Zero(t, payer.Balance(t, payer.Signer.Ledger()))
}

// The same holds when an old promise is denied.
func TestADenialLeavesANewerPromise(t *testing.T) {
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	sub := payer.Order(t, 100)
	here := payer.Admit(t, sub, nil, "")
	for range 2 {
		_, err := payer.Payment.Promise(here, worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
		require.NoError(t, err)
	}
	old := lost(payer.Payment, payer.Now)
	require.Len(t, old, 1, "the older one")
	payer.Payment.Denied(old[0], payer.Now)
	payer.Payment.Withdraw(here, worker.Signer.Peer(), payer.Now)
	require.Zero(t, payer.Balance(t, payer.Signer.Ledger()))
	require.Empty(t, payer.Ledger.Holds())
}
