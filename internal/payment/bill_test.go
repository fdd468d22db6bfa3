package payment_test

import (
	"crypto/ed25519"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/payment"
)

// A bill is bounded by what its payer saw: the node's price times the payer's own time.
func TestBillIsBoundedByThePayersOwnTime(t *testing.T) {
	for _, c := range []struct {
		name string
		took time.Duration
		bill uint64
		ok   bool
	}{
		{"0 s for the whole budget", 0, 100, false},
		{"a tenth of a second", 100 * time.Millisecond, 100, true},
		{"just over", 40 * time.Millisecond, 100, false},
		{"within the tolerance", 60 * time.Millisecond, 100, true},
		{"a long wait", time.Hour, 100, true},
	} {
		for _, code := range []mesh.JobCode{mesh.JobOK, mesh.JobCreditExhausted, mesh.JobFailed} {
			payer, worker := newParty(t, 1), newParty(t, 2)
			here, w, receipt := done(t, payer, worker, c.bill, func(w *kernel.Work) { w.Finished, w.Code = w.Started, code })
			out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.wallet.Peer(), OutputCID: w.OutputCID, Cost: c.bill, Receipt: receipt, Code: code}
			err := payer.purse.Pay(here, out, c.took, payer.now)
			if c.ok {
				require.NoError(t, err, c.name)
				continue
			}
			require.ErrorIs(t, err, credit.ErrReceiptMismatch, c.name)
			_, err = payer.purse.Late(receipt, payer.now)
			require.ErrorIs(t, err, credit.ErrReceiptMismatch, "nor later: %s", c.name)
			payer.purse.Withdraw(here, worker.wallet.Peer(), payer.now)
			require.Zero(t, payer.spendable(t, payer.wallet.Ledger()))
		}
	}
	// One that comes late is bounded by the job's deadline.
	payer, worker := newParty(t, 1), newParty(t, 2)
	_, _, receipt := done(t, payer, worker, 100, nil)
	_, err := payer.purse.Late(receipt, payer.now.Add(time.Second))
	require.NoError(t, err)
}

// The outcome and the receipt say the same, to the last figure.
func TestOutcomeAndReceiptSayTheSame(t *testing.T) {
	payer, worker := newParty(t, 1), newParty(t, 2)
	here, w, receipt := done(t, payer, worker, 30, nil)
	good := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.wallet.Peer(), OutputCID: w.OutputCID, Cost: 30, Receipt: receipt}
	for name, change := range map[string]func(*mesh.JobOutcome){
		"cost":   func(o *mesh.JobOutcome) { o.Cost = 0 },
		"code":   func(o *mesh.JobOutcome) { o.Code = mesh.JobFailed },
		"output": func(o *mesh.JobOutcome) { o.OutputCID = "" },
		"node":   func(o *mesh.JobOutcome) { o.Node = payer.wallet.Peer() },
	} {
		bad := good
		change(&bad)
		require.ErrorIs(t, payer.purse.Pay(here, bad, time.Second, payer.now), credit.ErrReceiptMismatch, name)
	}
	require.NoError(t, payer.purse.Pay(here, good, time.Second, payer.now), "the receipt is as good as before")
}

// Of several nodes that had to agree one that was lost is paid later only if it agrees.
func TestLateReceiptOfAnOutvotedNode(t *testing.T) {
	payer, one, two, three := newParty(t, 1), newParty(t, 2), newParty(t, 3), newParty(t, 4)
	sub := order(t, payer, 100)
	sub.Job.Replicas, sub.Job.Agree = 3, 2
	here := payer.admit(t, sub, nil, "")
	receipts := map[*party][]byte{}
	for _, w := range []*party{one, two, three} {
		voucher, err := payer.purse.Promise(here, w.wallet.Peer(), terms(sub, payer.now), payer.now)
		require.NoError(t, err)
		earning, err := w.purse.Earn(w.admit(t, sub, voucher, payer.wallet.Peer()), terms(sub, w.now), w.now)
		require.NoError(t, err)
		job := work(sub, 30, w.now)
		if w == three {
			job.OutputCID = capsule.SumCID([]byte("another")).String()
		}
		receipts[w], err = earning.Collect(job, w.now)
		require.NoError(t, err)
	}
	later := payer.now.Add(time.Second)
	_, err := payer.purse.Late(receipts[two], later)
	require.ErrorIs(t, err, credit.ErrReceiptMismatch, "nothing has been agreed on yet")
	agreed := work(sub, 30, payer.now).OutputCID
	require.NoError(t, payer.purse.Pay(here, mesh.JobOutcome{JobID: sub.Job.ID, Node: one.wallet.Peer(), OutputCID: agreed, Cost: 30,
		Receipt: receipts[one]}, time.Second, later))
	_, err = payer.purse.Late(receipts[three], later)
	require.ErrorIs(t, err, credit.ErrReceiptMismatch)
	_, err = payer.purse.Late(receipts[two], later)
	require.NoError(t, err)
	require.EqualValues(t, -60-100, payer.spendable(t, payer.wallet.Ledger()), "two are paid, the third's hold expires")
}

// A payer that has been told that its voucher is not known takes its money back: the
// voucher is not taken after that.
func TestDeniedVoucherIsNotTaken(t *testing.T) {
	payer, worker := newParty(t, 1), newParty(t, 2)
	sub := order(t, payer, 100)
	voucher, err := payer.purse.Promise(payer.admit(t, sub, nil, ""), worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	require.NoError(t, err)
	held := payer.ledger.Holds()[0]
	answer, err := worker.purse.Answer(held.ID)
	require.NoError(t, err)
	require.Empty(t, answer)
	payer.purse.Denied(held, payer.now)
	require.Zero(t, payer.spendable(t, payer.wallet.Ledger()))
	there := worker.admit(t, sub, voucher, payer.wallet.Peer())
	for range 2 {
		_, err = worker.purse.Earn(there, terms(sub, worker.now), worker.now)
		require.ErrorIs(t, err, credit.ErrVoucherReplayed)
	}
	require.Empty(t, worker.ledger.Holds())
}

// However many keys ask after vouchers that nobody has, whoever asks then is answered; what
// was denied of somebody who asks for little is remembered for longest.
func TestDenialsMakeRoom(t *testing.T) {
	worker, honest := newParty(t, 2), newParty(t, 1)
	ask := func(ledger identity.LedgerID, n int) {
		t.Helper()
		answer, err := worker.purse.Answer(credit.HoldID{Ledger: ledger, Nonce: credit.Nonce{byte(n), byte(n >> 8), 1}})
		require.NoError(t, err)
		require.Empty(t, answer)
	}
	sub := order(t, honest, 100)
	voucher, err := honest.purse.Promise(honest.admit(t, sub, nil, ""), worker.wallet.Peer(), terms(sub, honest.now), honest.now)
	require.NoError(t, err)
	answer, err := worker.purse.Answer(honest.ledger.Holds()[0].ID)
	require.NoError(t, err)
	require.Empty(t, answer)
	for n := range 3 * 4096 {
		ask(identity.LedgerIDOf(keyOf(3+byte(n%50)).Public().(ed25519.PublicKey)), n)
	}
	for n := range 60 {
		ask(honest.wallet.Ledger(), n)
	}
	_, err = worker.purse.Earn(worker.admit(t, sub, voucher, honest.wallet.Peer()), terms(sub, worker.now), worker.now)
	require.ErrorIs(t, err, credit.ErrVoucherReplayed, "it was denied")
}

// A receipt is told of for as long as its proof is kept, which is longer than the ledger
// remembers the voucher.
func TestReceiptIsToldOfAfterItsVoucher(t *testing.T) {
	payer, worker := newParty(t, 1), newParty(t, 2)
	_, _, receipt := done(t, payer, worker, 30, nil)
	id := payer.ledger.Holds()[0].ID
	later := worker.now.Add(time.Hour)
	for range 3 {
		require.NoError(t, worker.ledger.Grant(worker.wallet.Ledger(), 1, later))
	}
	require.Equal(t, credit.FateUnknown, worker.ledger.Fate(id))
	answer, err := worker.purse.Answer(id)
	require.NoError(t, err)
	require.Equal(t, receipt, answer)
}

// A receipt that the payer's own ledger could not settle just now is as good as before.
func TestReceiptOutlivesABusyLedger(t *testing.T) {
	payer, worker := newParty(t, 1), newParty(t, 2)
	slow := &slowLog{in: make(chan struct{}, 1), free: make(chan struct{})}
	var err error
	payer.ledger, err = credit.OpenLedger(credit.Config{Log: slow, Codec: codec, Self: payer.wallet.Peer(), StrangerLine: line, MaxPending: 1})
	require.NoError(t, err)
	require.NoError(t, payer.ledger.OpenAccount(payer.wallet.Ledger(), line, payer.now))
	payer.gate, err = governance.New(governance.Config{Ledgers: payer.ledger})
	require.NoError(t, err)
	payer.purse, err = payment.New(payment.Config{Signer: payer.wallet, Ledger: payer.ledger}, payer.now)
	require.NoError(t, err)
	here, w, receipt := done(t, payer, worker, 30, nil)

	// One write is under way and the next is full.
	slow.hold.Store(true)
	var writes sync.WaitGroup
	writes.Go(func() { _ = payer.ledger.Grant(payer.wallet.Ledger(), 1, payer.now) })
	<-slow.in
	waiting := make(chan struct{})
	writes.Go(func() {
		close(waiting)
		_ = payer.ledger.Grant(payer.wallet.Ledger(), 1, payer.now)
	})
	<-waiting
	out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.wallet.Peer(), OutputCID: w.OutputCID, Cost: 30, Receipt: receipt}
	for { // until the second has joined
		if err = payer.ledger.Grant(payer.wallet.Ledger(), 0, payer.now); errors.Is(err, credit.ErrBusy) {
			break
		}
		require.ErrorIs(t, err, credit.ErrAmount, "refused, so that it takes no place")
		runtime.Gosched()
	}
	require.ErrorIs(t, payer.purse.Pay(here, out, time.Second, payer.now), credit.ErrBusy)
	slow.hold.Store(false)
	close(slow.free)
	writes.Wait()
	require.NoError(t, payer.purse.Pay(here, out, time.Second, payer.now))
	require.Len(t, payer.wallet.Kept(here.Job().ID), 1)
	require.ErrorIs(t, payer.purse.Pay(here, out, time.Second, payer.now), credit.ErrReceiptUnknown, "once")
}

// slowLog blocks its writers while hold is set.
type slowLog struct {
	credit.MemoryLog
	hold atomic.Bool
	in   chan struct{}
	free chan struct{}
}

func (l *slowLog) Append(records [][]byte) error {
	if l.hold.Load() {
		l.in <- struct{}{}
		<-l.free
	}
	return l.MemoryLog.Append(records)
}
