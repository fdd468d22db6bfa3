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
)

// crashed is a worker that ended in the middle of a job of payer's, whose voucher it held.
func crashed(t *testing.T, payer *party, log credit.Log, kv payment.Keeper) (id credit.HoldID, sub kernel.Submission, voucher []byte) {
	t.Helper()
	worker := partyOn(t, 2, line, log)
	p, err := payment.New(payment.Config{Signer: worker.wallet, Ledger: worker.ledger, Keep: kv}, worker.now)
	require.NoError(t, err)
	sub = order(t, payer, 100)
	voucher, err = payer.purse.Promise(payer.admit(t, sub, nil, ""), worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	require.NoError(t, err)
	_, err = p.Earn(worker.admit(t, sub, voucher, payer.wallet.Peer()), terms(sub, worker.now), worker.now)
	require.NoError(t, err)
	holds := worker.ledger.Holds()
	require.Len(t, holds, 1)
	return holds[0].ID, sub, voucher
}

// reopened opens the worker's books as a new process does.
func reopened(t *testing.T, log credit.Log, kv payment.Keeper) *party {
	t.Helper()
	w := &party{now: time.Now()}
	var err error
	w.wallet, err = credit.NewSigner(credit.SignerConfig{Key: keyOf(2), Codec: codec})
	require.NoError(t, err)
	w.ledger, err = credit.OpenLedger(credit.Config{Log: log, Codec: codec, Self: w.wallet.Peer(), StrangerLine: line})
	require.NoError(t, err)
	w.purse, err = payment.New(payment.Config{Signer: w.wallet, Ledger: w.ledger, Keep: kv}, w.now)
	require.NoError(t, err)
	return w
}

// A worker that starts again gives back what it held for a job that never ended, never
// takes that voucher again, and knows whom to tell until it has told them.
func TestWhatNeverEndedIsGivenBack(t *testing.T) {
	payer, log, kv := newParty(t, 1), &credit.MemoryLog{}, newKeep()
	id, sub, voucher := crashed(t, payer, log, kv)
	w := reopened(t, log, kv)
	require.Empty(t, w.ledger.Holds())
	require.Zero(t, w.spendable(t, payer.wallet.Ledger()))
	require.Equal(t, credit.FateRefunded, w.ledger.Fate(id))
	tell := map[identity.PeerID][]credit.HoldID{payer.wallet.Peer(): {id}}
	require.Equal(t, tell, w.purse.Unearned(w.now))
	_, err := w.ledger.HoldVoucher(voucher, sub.Job.ID, w.wallet.Peer(), 100, credit.Bearer{Peer: payer.wallet.Peer()}, w.now)
	require.ErrorIs(t, err, credit.ErrVoucherReplayed)

	w = reopened(t, log, kv)
	require.Equal(t, tell, w.purse.Unearned(w.now), "it ended before it could say so")
	require.Empty(t, w.purse.Unearned(w.now.Add(time.Hour)), "the voucher has expired")
	late, err := payment.New(payment.Config{Signer: w.wallet, Ledger: w.ledger, Keep: &keep{data: kv.copy()}}, w.now.Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, late.Unearned(w.now))
	w.purse.Told([]credit.HoldID{id})
	require.Empty(t, w.purse.Unearned(w.now))
	require.Empty(t, reopened(t, log, kv).purse.Unearned(w.now))
}

// The crash may come at any point of giving back: the next start goes on.
func TestGivingBackIsInterrupted(t *testing.T) {
	payer, log, kv := newParty(t, 1), &fullLog{}, newKeep()
	id, _, _ := crashed(t, payer, log, kv)
	w := partyOf(t, 2, line)
	books, err := credit.OpenLedger(credit.Config{Log: log, Codec: codec, Self: w.wallet.Peer(), StrangerLine: line})
	require.NoError(t, err)
	open := func(keep payment.Keeper) error {
		_, err := payment.New(payment.Config{Signer: w.wallet, Ledger: books, Keep: keep}, w.now)
		return err
	}
	for _, at := range []*func(){&kv.before, &kv.after} {
		*at = func() { panic("power off") }
		require.Panics(t, func() { _ = open(kv) })
		*at = nil
		require.Equal(t, credit.FateHeld, books.Fate(id), "nothing is given back before it is known whom to tell")
	}
	log.full.Store(true)
	require.ErrorIs(t, open(kv), credit.ErrFailed)
	require.Equal(t, credit.FateHeld, books.Fate(id))
	log.full.Store(false)
	after := reopened(t, log, kv)
	require.Equal(t, credit.FateRefunded, after.ledger.Fate(id))
	require.Len(t, after.purse.Unearned(after.now), 1)
}

// A payer takes back what the payee of the voucher says, and nobody else; what has been
// paid stays paid, and a log that is full is not taken for a refund.
func TestAPayerTakesBackWhatIsNotBilled(t *testing.T) {
	log := &fullLog{}
	payer, worker, other := partyOn(t, 1, line, log), newParty(t, 2), newParty(t, 3)
	sub := order(t, payer, 100)
	here := payer.admit(t, sub, nil, "")
	_, err := payer.purse.Promise(here, worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	require.NoError(t, err)
	first := payer.ledger.Holds()[0].ID
	take := func(from *party) error { return payer.purse.TakeBack(first.Nonce, from.wallet.Peer(), payer.now) }
	require.NoError(t, take(other))
	require.NoError(t, take(payer))
	require.EqualValues(t, -100, payer.spendable(t, payer.wallet.Ledger()))
	log.full.Store(true)
	require.ErrorIs(t, take(worker), credit.ErrFailed)
	log.full.Store(false)
	payer.now = payer.now.Add(time.Minute)
	err = take(worker)
	if errors.Is(err, credit.ErrFailed) { // the ledger reads its log anew first
		err = take(worker)
	}
	require.NoError(t, err)
	require.Zero(t, payer.spendable(t, payer.wallet.Ledger()))
	require.NoError(t, take(worker), "once more")

	// The same node has been promised the same job anew: that promise stands.
	_, err = payer.purse.Promise(here, worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	require.NoError(t, err)
	require.NoError(t, take(worker))
	require.EqualValues(t, -100, payer.spendable(t, payer.wallet.Ledger()))
	payer.purse.Withdraw(here, worker.wallet.Peer(), payer.now)
	require.Zero(t, payer.spendable(t, payer.wallet.Ledger()))
}

// So it does when an old promise is denied.
func TestADenialLeavesANewerPromise(t *testing.T) {
	payer, worker := newParty(t, 1), newParty(t, 2)
	sub := order(t, payer, 100)
	here := payer.admit(t, sub, nil, "")
	for range 2 {
		_, err := payer.purse.Promise(here, worker.wallet.Peer(), terms(sub, payer.now), payer.now)
		require.NoError(t, err)
	}
	old := lost(payer.purse, payer.now)
	require.Len(t, old, 1, "the older one")
	payer.purse.Denied(old[0], payer.now)
	payer.purse.Withdraw(here, worker.wallet.Peer(), payer.now)
	require.Zero(t, payer.spendable(t, payer.wallet.Ledger()))
	require.Empty(t, payer.ledger.Holds())
}
