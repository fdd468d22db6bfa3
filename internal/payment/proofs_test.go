package payment_test

import (
	"encoding/base64"
	"maps"
	"math/rand/v2"
	"slices"
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
)

// doJob does a paid job for payer.
func (b *party) doJob(payer *credit.Signer) (credit.Nonce, error) {
	now := time.Now()
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("wasm")), Method: "m", Input: []byte("in"), Budget: 100,
		CreditLedgerID: string(payer.Ledger()), Module: "test", Device: payer.Peer()}, now)
	if err != nil {
		return credit.Nonce{}, err
	}
	v, raw, err := payer.Issue(sub.Job.ID, b.wallet.Peer(), 100, now.Add(time.Hour))
	if err != nil {
		return credit.Nonce{}, err
	}
	a, err := b.gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: raw, From: payer.Peer(), Payee: b.wallet.Peer()}, now)
	if err != nil {
		return credit.Nonce{}, err
	}
	defer b.gate.Done(a)
	earning, err := b.purse.Earn(a, terms(sub, now), now)
	if err != nil {
		return credit.Nonce{}, err
	}
	_, err = earning.Collect(work(sub, 1+rand.Uint64N(100), now), now)
	return v.Nonce, err
}

// A settlement whose receipt was written and which the crash prevented is made up for;
// one that was refunded proves nothing; one that has been paid for is forgotten.
func TestProofsCatchUp(t *testing.T) {
	b := partyOf(t, 2, 1<<40)
	payer := newParty(t, 1)
	kv := newKeep()
	purse := func(now time.Time) *payment.Service {
		p, err := payment.New(payment.Config{Signer: b.wallet, Ledger: b.ledger, Keep: kv}, now)
		require.NoError(t, err)
		return p
	}
	p := purse(b.now)
	collect := func(budget, cost uint64) (credit.HoldID, error) {
		sub := order(t, payer, budget)
		v, raw, err := payer.wallet.Issue(sub.Job.ID, b.wallet.Peer(), budget, b.now.Add(time.Minute))
		require.NoError(t, err)
		e, err := p.Earn(b.admit(t, sub, raw, payer.wallet.Peer()), terms(sub, b.now), b.now)
		require.NoError(t, err)
		_, err = e.Collect(work(sub, cost, b.now), b.now)
		return credit.HoldID{Ledger: payer.wallet.Ledger(), Nonce: v.Nonce}, err
	}
	first, err := collect(100, 40)
	require.NoError(t, err)
	// The crash comes when the receipt has been written.
	saved := kv.copy()
	kv.before = func() { panic("power off") }
	require.Panics(t, func() { _, _ = collect(100, 30) })
	require.Equal(t, saved, kv.copy())
	kv.before, kv.after = nil, func() { panic("power off") }
	require.Panics(t, func() { _, _ = collect(100, 30) })
	kv.after = nil
	require.Len(t, b.ledger.Holds(), 2)
	p = purse(b.now)
	require.Empty(t, b.ledger.Holds(), "where no receipt was written it goes back")
	require.Len(t, p.Proofs(), 2)
	s, err := b.ledger.Standing(payer.wallet.Peer())
	require.NoError(t, err)
	require.EqualValues(t, 70, s.Owes)

	// One that cannot be settled is no proof.
	_, err = collect(100, 101)
	require.ErrorIs(t, err, credit.ErrOverHold)
	require.Len(t, p.Proofs(), 2)
	require.Len(t, kv.Keys("owed/"), 2)

	// The payer promises 40. The crash comes when the ledger has it and the cheque itself
	// is not kept; the payer, who had no answer, sends it again.
	drawer := payer.wallet.Peer()
	cheque, err := codec.SealCheque(credit.Cheque{Drawer: drawer, Payee: b.wallet.Peer(), Sequence: 1, Paid: 40, IssuedAt: b.now}, keyOf(1))
	require.NoError(t, err)
	kv.before = func() { panic("power off") }
	require.Panics(t, func() { _, _ = p.TakeCheque(cheque, b.now) })
	kv.before = nil
	p = purse(b.now)
	_, kept := p.Cheque(drawer)
	require.False(t, kept)
	_, err = p.TakeCheque(cheque, b.now)
	require.ErrorIs(t, err, credit.ErrChequeStale)
	raw, kept := purse(b.now).Cheque(drawer)
	require.True(t, kept)
	require.Equal(t, cheque, raw)
	require.Len(t, p.Proofs(), 2, "the payer may ask until the vouchers expire")

	// Then the older receipt is paid for, and the newer one is not.
	later := b.now.Add(time.Hour)
	p = purse(later)
	left := p.Proofs()
	require.Len(t, left, 1)
	require.NotEqual(t, first, left[0].Hold)
	require.EqualValues(t, 30, left[0].Cost)
	_, err = p.Answer(first)
	require.ErrorIs(t, err, payment.ErrUndecided)

	// An older cheque does not take the newer one's place.
	old, err := codec.SealCheque(credit.Cheque{Drawer: drawer, Payee: b.wallet.Peer(), Sequence: 1, Paid: 0, IssuedAt: b.now}, keyOf(1))
	require.NoError(t, err)
	_, err = p.TakeCheque(old, later)
	require.ErrorIs(t, err, credit.ErrChequeStale)
	raw, _ = p.Cheque(drawer)
	require.Equal(t, cheque, raw)

	var shown strings.Builder
	require.NoError(t, payment.WriteProofs(&shown, kv, codec))
	lines := strings.Split(strings.TrimSpace(shown.String()), "\n")
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], `"costMicro":"30"`)
	require.Contains(t, lines[0], base64.StdEncoding.EncodeToString(left[0].Receipt))
	require.Contains(t, lines[1], base64.StdEncoding.EncodeToString(cheque))

	require.NoError(t, kv.Put("owed/0000000000000009", []byte("x")))
	_, err = payment.New(payment.Config{Signer: b.wallet, Ledger: b.ledger, Keep: kv}, later)
	require.ErrorIs(t, err, payment.ErrProof)
}

// Proofs are bounded, and who has the most loses the oldest.
func TestProofsAreBounded(t *testing.T) {
	b := partyOf(t, 2, 1<<40)
	kv := newKeep()
	var err error
	b.purse, err = payment.New(payment.Config{Signer: b.wallet, Ledger: b.ledger, Keep: kv}, b.now)
	require.NoError(t, err)
	small, flood := newParty(t, 1), newParty(t, 3)
	_, err = b.doJob(small.wallet)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 65 {
				if _, err := b.doJob(flood.wallet); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, b.purse.Proofs(), 4096)
	require.Len(t, kv.copy(), 4096)
	require.Equal(t, small.wallet.Ledger(), b.purse.Proofs()[0].Hold.Ledger)
}

// The payer keeps the newest receipts of what it paid for, across restarts.
func TestPaidReceiptsAreKept(t *testing.T) {
	payer, worker := partyOf(t, 1, 1<<40), partyOf(t, 2, 1<<40)
	kv := newKeep()
	open := func() {
		var err error
		payer.purse, err = payment.New(payment.Config{Signer: payer.wallet, Ledger: payer.ledger, Keep: kv}, payer.now)
		require.NoError(t, err)
	}
	open()
	const jobs = 1030
	var costs []uint64
	for i := range jobs {
		sub := order(t, payer, 10_000)
		here := payer.admit(t, sub, nil, "")
		voucher, err := payer.purse.Promise(here, worker.wallet.Peer(), terms(sub, payer.now), payer.now)
		require.NoError(t, err)
		earning, err := worker.purse.Earn(worker.admit(t, sub, voucher, payer.wallet.Peer()), terms(sub, worker.now), worker.now)
		require.NoError(t, err)
		w := work(sub, uint64(i+1), worker.now)
		receipt, err := earning.Collect(w, worker.now)
		require.NoError(t, err)
		out := mesh.JobOutcome{JobID: sub.Job.ID, Node: worker.wallet.Peer(), OutputCID: w.OutputCID, Cost: w.Cost, Receipt: receipt}
		require.NoError(t, payer.purse.Pay(here, out, time.Second, payer.now))
		costs = append(costs, w.Cost)
		if i == 500 {
			open()
		}
	}
	kept, err := payment.Receipts(kv, codec)
	require.NoError(t, err)
	var got []uint64
	for _, k := range kept {
		got = append(got, k.Receipt.Cost)
	}
	require.Equal(t, costs[jobs-1024:], got)
	require.NoError(t, kv.Put("paid/0000", nil))
	_, err = payment.New(payment.Config{Signer: payer.wallet, Ledger: payer.ledger, Keep: kv}, payer.now)
	require.ErrorIs(t, err, payment.ErrProof)
}

// keep is a Keeper in memory; before and after, if set, run around each Put.
type keep struct {
	mu            sync.Mutex
	data          map[string]string
	before, after func()
}

func newKeep() *keep { return &keep{data: make(map[string]string)} }

func (k *keep) Get(key string) ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.data[key]
	return []byte(v), ok
}

func (k *keep) Put(key string, value []byte) error {
	if k.before != nil {
		k.before()
	}
	k.mu.Lock()
	k.data[key] = string(value)
	k.mu.Unlock()
	if k.after != nil {
		k.after()
	}
	return nil
}

func (k *keep) Delete(key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.data, key)
	return nil
}

func (k *keep) Keys(prefix string) (out []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key := range k.data {
		if strings.HasPrefix(key, prefix) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

func (k *keep) copy() map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.data)
}
