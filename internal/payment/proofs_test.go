package payment_test

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/payment"
	"inos/internal/submit"
	"inos/internal/testkit"
	"inos/internal/testkit/accounts"
	"inos/internal/wire"
)

// doJob has b do a paid job for payer.
func doJob(b *accounts.Party, payer *credit.Signer) (credit.Nonce, error) {
	now := time.Now()
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("wasm")), Method: "m", Input: []byte("in"), Budget: 100,
		CreditLedgerID: string(payer.Ledger()), Module: "test", Device: payer.Peer()}, now)
	if err != nil {
		return credit.Nonce{}, err
	}
	v, raw, err := payer.Issue(sub.Job.ID, b.Signer.Peer(), 100, now.Add(time.Hour))
	if err != nil {
		return credit.Nonce{}, err
	}
	a, err := b.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: raw, From: payer.Peer(), Payee: b.Signer.Peer()}, now)
	if err != nil {
		return credit.Nonce{}, err
	}
	defer b.Gate.Done(a)
	earning, err := b.Payment.Earn(a, accounts.Terms(sub, now), now)
	if err != nil {
		return credit.Nonce{}, err
	}
	_, err = earning.Collect(accounts.Work(sub, 1+rand.Uint64N(100), now), now)
	return v.Nonce, err
}

// After a crash between writing the receipt and settling, the settlement is made up for. A
// refunded job leaves no proof. A paid one is forgotten.
func TestProofsCatchUp(t *testing.T) {
	b := accounts.Open(t, accounts.Config{Key: 2, Line: 1 << 40})
	payer := accounts.New(t, 1)
	kv := &testkit.KVStore{}
	purse := func(now time.Time) *payment.Service {
		p, err := payment.New(payment.Config{Signer: b.Signer, Ledger: b.Ledger, Keep: kv}, now)
		require.NoError(t, err)
		return p
	}
	p := purse(b.Now)
	collect := func(budget, cost uint64) (credit.HoldID, error) {
		sub := payer.Order(t, budget)
		v, raw, err := payer.Signer.Issue(sub.Job.ID, b.Signer.Peer(), budget, b.Now.Add(time.Minute))
		require.NoError(t, err)
		e, err := p.Earn(b.Admit(t, sub, raw, payer.Signer.Peer()), accounts.Terms(sub, b.Now), b.Now)
		require.NoError(t, err)
		_, err = e.Collect(accounts.Work(sub, cost, b.Now), b.Now)
		return credit.HoldID{Ledger: payer.Signer.Ledger(), Nonce: v.Nonce}, err
	}
	first, err := collect(100, 40)
	require.NoError(t, err)
	// The crash comes when the receipt has been written.
	saved := kv.Values()
	kv.Before = func() { panic("power off") }
	require.Panics(t, func() { _, _ = collect(100, 30) })
	require.Equal(t, saved, kv.Values())
	kv.Before, kv.After = nil, func() { panic("power off") }
	require.Panics(t, func() { _, _ = collect(100, 30) })
	kv.After = nil
	require.Len(t, b.Ledger.Holds(), 2)
	p = purse(b.Now)
	require.Empty(t, b.Ledger.Holds(), "where no receipt was written it goes back")
	require.Len(t, p.Proofs(), 2)
	s, err := b.Ledger.Standing(payer.Signer.Peer())
	require.NoError(t, err)
	require.EqualValues(t, 70, s.Owes)

	// One that cannot be settled is no proof.
	_, err = collect(100, 101)
	require.ErrorIs(t, err, credit.ErrOverHold)
	require.Len(t, p.Proofs(), 2)
	require.Len(t, kv.Keys("owed/"), 2)

	// The payer promises 40. The crash comes when the ledger has it and the cheque itself
	// is not kept; the payer, who had no answer, sends it again.
	drawer := payer.Signer.Peer()
	cheque, err := wire.Credit{}.SealCheque(credit.Cheque{Drawer: drawer, Payee: b.Signer.Peer(), Sequence: 1, Paid: 40, IssuedAt: b.Now}, testkit.Key(1))
	require.NoError(t, err)
	kv.Before = func() { panic("power off") }
	require.Panics(t, func() { _, _ = p.TakeCheque(cheque, b.Now) })
	kv.Before = nil
	p = purse(b.Now)
	_, kept := p.Cheque(drawer)
	require.False(t, kept)
	_, err = p.TakeCheque(cheque, b.Now)
	require.ErrorIs(t, err, credit.ErrChequeStale)
	raw, kept := purse(b.Now).Cheque(drawer)
	require.True(t, kept)
	require.Equal(t, cheque, raw)
	require.Len(t, p.Proofs(), 2, "the payer may ask until the vouchers expire")

	// Then the older receipt is paid for, and the newer one is not.
	later := b.Now.Add(time.Hour)
	p = purse(later)
	left := p.Proofs()
	require.Len(t, left, 1)
	require.NotEqual(t, first, left[0].Hold)
	require.EqualValues(t, 30, left[0].Cost)
	_, err = p.Answer(first)
	require.ErrorIs(t, err, payment.ErrUndecided)

	// An older cheque does not take the newer one's place.
	old, err := wire.Credit{}.SealCheque(credit.Cheque{Drawer: drawer, Payee: b.Signer.Peer(), Sequence: 1, Paid: 0, IssuedAt: b.Now}, testkit.Key(1))
	require.NoError(t, err)
	_, err = p.TakeCheque(old, later)
	require.ErrorIs(t, err, credit.ErrChequeStale)
	raw, _ = p.Cheque(drawer)
	require.Equal(t, cheque, raw)

	var shown strings.Builder
	require.NoError(t, payment.WriteProofs(&shown, kv, wire.Credit{}))
	lines := strings.Split(strings.TrimSpace(shown.String()), "\n")
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], `"costMicro":"30"`)
	require.Contains(t, lines[0], base64.StdEncoding.EncodeToString(left[0].Receipt))
	require.Contains(t, lines[1], base64.StdEncoding.EncodeToString(cheque))

	require.NoError(t, kv.Put("owed/0000000000000009", []byte("x")))
	_, err = payment.New(payment.Config{Signer: b.Signer, Ledger: b.Ledger, Keep: kv}, later)
	require.ErrorIs(t, err, payment.ErrProof)
}

// Proofs are bounded, and the ledger with the most loses its oldest.
func TestProofsAreBounded(t *testing.T) {
	b := accounts.Open(t, accounts.Config{Key: 2, Line: 1 << 40})
	kv := &testkit.KVStore{}
	var err error
	b.Payment, err = payment.New(payment.Config{Signer: b.Signer, Ledger: b.Ledger, Keep: kv}, b.Now)
	require.NoError(t, err)
	small, flood := accounts.New(t, 1), accounts.New(t, 3)
	_, err = doJob(b, small.Signer)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 65 {
				if _, err := doJob(b, flood.Signer); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, b.Payment.Proofs(), 4096)
	require.Len(t, kv.Values(), 4096)
	require.Equal(t, small.Signer.Ledger(), b.Payment.Proofs()[0].Hold.Ledger)
}

// The payer keeps the newest receipts of what it paid for, across restarts.
func TestPaidReceiptsAreKept(t *testing.T) {
	payer, worker := accounts.Open(t, accounts.Config{Key: 1, Line: 1 << 40}), accounts.Open(t, accounts.Config{Key: 2, Line: 1 << 40})
	kv := &testkit.KVStore{}
	open := func() {
		var err error
		payer.Payment, err = payment.New(payment.Config{Signer: payer.Signer, Ledger: payer.Ledger, Keep: kv}, payer.Now)
		require.NoError(t, err)
	}
	open()
	const jobs = 1030
	var costs []uint64
	for i := range jobs {
		sub := payer.Order(t, 10_000)
		here := payer.Admit(t, sub, nil, "")
		voucher, err := payer.Payment.Promise(here, worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
		require.NoError(t, err)
		earning, err := worker.Payment.Earn(worker.Admit(t, sub, voucher, payer.Signer.Peer()), accounts.Terms(sub, worker.Now), worker.Now)
		require.NoError(t, err)
		w := accounts.Work(sub, uint64(i+1), worker.Now)
		receipt, err := earning.Collect(w, worker.Now)
		require.NoError(t, err)
		out := mesh.JobOutcome{JobID: sub.Job.ID, Node: worker.Signer.Peer(), OutputCID: w.OutputCID, Cost: w.Cost, Receipt: receipt}
		require.NoError(t, payer.Payment.Pay(here, out, time.Second, payer.Now))
		costs = append(costs, w.Cost)
		if i == 500 {
			open()
		}
	}
	kept, err := payment.Receipts(kv, wire.Credit{})
	require.NoError(t, err)
	var got []uint64
	for _, k := range kept {
		got = append(got, k.Receipt.Cost)
	}
	require.Equal(t, costs[jobs-1024:], got)
	require.NoError(t, kv.Put("paid/0000", nil))
	_, err = payment.New(payment.Config{Signer: payer.Signer, Ledger: payer.Ledger, Keep: kv}, payer.Now)
	require.ErrorIs(t, err, payment.ErrProof)
}
