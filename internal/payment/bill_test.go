package payment_test

import (
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
	"inos/internal/testkit"
	"inos/internal/testkit/accounts"
	"inos/internal/wire"
)

// A bill is bounded by the node's price times the time that the payer measured.
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
			payer, worker := accounts.New(t, 1), accounts.New(t, 2)
			here, w, receipt := done(t, payer, worker, c.bill, func(w *kernel.Work) { w.Finished, w.Code = w.Started, code })
			out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.Signer.Peer(), OutputCID: w.OutputCID, Cost: c.bill, Receipt: receipt, Code: code}
			err := payer.Payment.Pay(here, out, c.took, payer.Now)
			if c.ok {
				require.NoError(t, err, c.name)
				continue
			}
			require.ErrorIs(t, err, credit.ErrReceiptMismatch, c.name)
			_, err = payer.Payment.Late(receipt, payer.Now)
			require.ErrorIs(t, err, credit.ErrReceiptMismatch, "nor later: %s", c.name)
			payer.Payment.Withdraw(here, worker.Signer.Peer(), payer.Now)
			require.Zero(t, payer.Balance(t, payer.Signer.Ledger()))
		}
	}
	// One that comes late is bounded by the job's deadline.
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	_, _, receipt := done(t, payer, worker, 100, nil)
	_, err := payer.Payment.Late(receipt, payer.Now.Add(time.Second))
	require.NoError(t, err)
}

// The outcome and the receipt state exactly the same cost.
func TestOutcomeAndReceiptSayTheSame(t *testing.T) {
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	here, w, receipt := done(t, payer, worker, 30, nil)
	good := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.Signer.Peer(), OutputCID: w.OutputCID, Cost: 30, Receipt: receipt}
	for name, change := range map[string]func(*mesh.JobOutcome){
		"cost":   func(o *mesh.JobOutcome) { o.Cost = 0 },
		"code":   func(o *mesh.JobOutcome) { o.Code = mesh.JobFailed },
		"output": func(o *mesh.JobOutcome) { o.OutputCID = "" },
		"node":   func(o *mesh.JobOutcome) { o.Node = payer.Signer.Peer() },
	} {
		bad := good
		change(&bad)
		require.ErrorIs(t, payer.Payment.Pay(here, bad, time.Second, payer.Now), credit.ErrReceiptMismatch, name)
	}
	require.NoError(t, payer.Payment.Pay(here, good, time.Second, payer.Now), "the receipt is as good as before")
}

// Of several nodes that had to agree, a lost one is paid later only if its output agrees.
func TestLateReceiptOfAnOutvotedNode(t *testing.T) {
	payer, one, two, three := accounts.New(t, 1), accounts.New(t, 2), accounts.New(t, 3), accounts.New(t, 4)
	sub := payer.Order(t, 100)
	sub.Job.Replicas, sub.Job.Agree = 3, 2
	here := payer.Admit(t, sub, nil, "")
	receipts := map[*accounts.Party][]byte{}
	for _, w := range []*accounts.Party{one, two, three} {
		voucher, err := payer.Payment.Promise(here, w.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
		require.NoError(t, err)
		earning, err := w.Payment.Earn(w.Admit(t, sub, voucher, payer.Signer.Peer()), accounts.Terms(sub, w.Now), w.Now)
		require.NoError(t, err)
		job := accounts.Work(sub, 30, w.Now)
		if w == three {
			job.OutputCID = capsule.SumCID([]byte("another")).String()
		}
		receipts[w], err = earning.Collect(job, w.Now)
		require.NoError(t, err)
	}
	later := payer.Now.Add(time.Second)
	_, err := payer.Payment.Late(receipts[two], later)
	require.ErrorIs(t, err, credit.ErrReceiptMismatch, "nothing has been agreed on yet")
	agreed := accounts.Work(sub, 30, payer.Now).OutputCID
	require.NoError(t, payer.Payment.Pay(here, mesh.JobOutcome{JobID: sub.Job.ID, Node: one.Signer.Peer(), OutputCID: agreed, Cost: 30,
		Receipt: receipts[one]}, time.Second, later))
	_, err = payer.Payment.Late(receipts[three], later)
	require.ErrorIs(t, err, credit.ErrReceiptMismatch)
	_, err = payer.Payment.Late(receipts[two], later)
	require.NoError(t, err)
	require.EqualValues(t, -60-100, payer.Balance(t, payer.Signer.Ledger()), "two are paid, the third's hold expires")
}

// A payer takes its money back after a denial, so the denied voucher is refused from then on.
func TestDeniedVoucherIsNotTaken(t *testing.T) {
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	sub := payer.Order(t, 100)
	voucher, err := payer.Payment.Promise(payer.Admit(t, sub, nil, ""), worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
	require.NoError(t, err)
	held := payer.Ledger.Holds()[0]
	answer, err := worker.Payment.Answer(held.ID)
	require.NoError(t, err)
	require.Empty(t, answer)
	payer.Payment.Denied(held, payer.Now)
	require.Zero(t, payer.Balance(t, payer.Signer.Ledger()))
	there := worker.Admit(t, sub, voucher, payer.Signer.Peer())
	for range 2 {
		_, err = worker.Payment.Earn(there, accounts.Terms(sub, worker.Now), worker.Now)
		require.ErrorIs(t, err, credit.ErrVoucherReplayed)
	}
	require.Empty(t, worker.Ledger.Holds())
}

// A new asker is answered however many keys ask about unknown vouchers. The denials of a payer
// that asks rarely are remembered longest.
func TestDenialsMakeRoom(t *testing.T) {
	worker, honest := accounts.New(t, 2), accounts.New(t, 1)
	ask := func(ledger identity.LedgerID, n int) {
		t.Helper()
		answer, err := worker.Payment.Answer(credit.HoldID{Ledger: ledger, Nonce: credit.Nonce{byte(n), byte(n >> 8), 1}})
		require.NoError(t, err)
		require.Empty(t, answer)
	}
	sub := honest.Order(t, 100)
	voucher, err := honest.Payment.Promise(honest.Admit(t, sub, nil, ""), worker.Signer.Peer(), accounts.Terms(sub, honest.Now), honest.Now)
	require.NoError(t, err)
	answer, err := worker.Payment.Answer(honest.Ledger.Holds()[0].ID)
	require.NoError(t, err)
	require.Empty(t, answer)
	for n := range 3 * 4096 {
		ask(testkit.Ledger(3+byte(n%50)), n)
	}
	for n := range 60 {
		ask(honest.Signer.Ledger(), n)
	}
	_, err = worker.Payment.Earn(worker.Admit(t, sub, voucher, honest.Signer.Peer()), accounts.Terms(sub, worker.Now), worker.Now)
	require.ErrorIs(t, err, credit.ErrVoucherReplayed, "it was denied")
}

// A receipt is returned as long as its proof is kept, which is longer than the ledger remembers
// the voucher.
func TestReceiptIsToldOfAfterItsVoucher(t *testing.T) {
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	_, _, receipt := done(t, payer, worker, 30, nil)
	id := payer.Ledger.Holds()[0].ID
	later := worker.Now.Add(time.Hour)
	for range 3 {
		require.NoError(t, worker.Ledger.Grant(worker.Signer.Ledger(), 1, later))
	}
	require.Equal(t, credit.FateUnknown, worker.Ledger.Fate(id))
	answer, err := worker.Payment.Answer(id)
	require.NoError(t, err)
	require.Equal(t, receipt, answer)
}

// A receipt that the payer's own ledger could not settle at once stays valid.
func TestReceiptOutlivesABusyLedger(t *testing.T) {
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	slow := &blockingLog{in: make(chan struct{}, 1), free: make(chan struct{})}
	var err error
	payer.Ledger, err = credit.OpenLedger(credit.Config{Log: slow, Codec: wire.Credit{}, Self: payer.Signer.Peer(), StrangerLine: accounts.Line, MaxPending: 1})
	require.NoError(t, err)
	require.NoError(t, payer.Ledger.OpenAccount(payer.Signer.Ledger(), accounts.Line, payer.Now))
	payer.Gate, err = governance.New(governance.Config{Ledgers: payer.Ledger})
	require.NoError(t, err)
	payer.Payment, err = payment.New(payment.Config{Signer: payer.Signer, Ledger: payer.Ledger}, payer.Now)
	require.NoError(t, err)
	here, w, receipt := done(t, payer, worker, 30, nil)

	// One write is under way and the next is full.
	slow.hold.Store(true)
	var writes sync.WaitGroup
	writes.Go(func() { _ = payer.Ledger.Grant(payer.Signer.Ledger(), 1, payer.Now) })
	<-slow.in
	waiting := make(chan struct{})
	writes.Go(func() {
		close(waiting)
		_ = payer.Ledger.Grant(payer.Signer.Ledger(), 1, payer.Now)
	})
	<-waiting
	out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.Signer.Peer(), OutputCID: w.OutputCID, Cost: 30, Receipt: receipt}
	for { // until the second has joined
		if err = payer.Ledger.Grant(payer.Signer.Ledger(), 0, payer.Now); errors.Is(err, credit.ErrBusy) {
			break
		}
		require.ErrorIs(t, err, credit.ErrAmount, "refused, so that it takes no place")
		runtime.Gosched()
	}
	require.ErrorIs(t, payer.Payment.Pay(here, out, time.Second, payer.Now), credit.ErrBusy)
	slow.hold.Store(false)
	close(slow.free)
	writes.Wait()
	require.NoError(t, payer.Payment.Pay(here, out, time.Second, payer.Now))
	require.Len(t, payer.Signer.Kept(here.Job().ID), 1)
	require.ErrorIs(t, payer.Payment.Pay(here, out, time.Second, payer.Now), credit.ErrReceiptUnknown, "once")
}

// blockingLog blocks its writers while hold is set.
type blockingLog struct {
	credit.MemoryLog
	hold atomic.Bool
	in   chan struct{}
	free chan struct{}
}

func (l *blockingLog) Append(records [][]byte) error {
	if l.hold.Load() {
		l.in <- struct{}{}
		<-l.free
	}
	return l.MemoryLog.Append(records)
}
