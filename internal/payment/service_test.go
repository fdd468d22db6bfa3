package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/testkit/accounts"
)

// done returns a job of payer's that worker has done and billed. change, which may be nil,
// changes what worker reports.
func done(t *testing.T, payer, worker *accounts.Party, cost uint64, change func(*kernel.Work)) (here governance.Admitted, w kernel.Work, receipt []byte) {
	t.Helper()
	sub, here, earning := accounts.Send(t, payer, worker, 100)
	w = accounts.Work(sub, cost, worker.Now)
	if change != nil {
		change(&w)
	}
	receipt, err := earning.Collect(w, worker.Now)
	require.NoError(t, err)
	return here, w, receipt
}

func TestPaidJobBetweenTwoNodes(t *testing.T) {
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	sub := payer.Order(t, 100)
	here := payer.Admit(t, sub, nil, "")
	voucher, err := payer.Payment.Promise(here, worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
	require.NoError(t, err)
	require.EqualValues(t, -100, payer.Balance(t, payer.Signer.Ledger()), "held before the voucher leaves")

	there := worker.Admit(t, sub, voucher, payer.Signer.Peer())
	earning, err := worker.Payment.Earn(there, accounts.Terms(sub, worker.Now), worker.Now)
	require.NoError(t, err)
	w := accounts.Work(sub, 30, worker.Now)
	receipt, err := earning.Collect(w, worker.Now)
	require.NoError(t, err)
	require.EqualValues(t, -30, worker.Balance(t, payer.Signer.Ledger()))

	out := mesh.JobOutcome{JobID: sub.Job.ID, Node: worker.Signer.Peer(), OutputCID: w.OutputCID, Cost: 30, Receipt: receipt}
	require.NoError(t, payer.Payment.Pay(here, out, time.Second, payer.Now))
	require.EqualValues(t, -30, payer.Balance(t, payer.Signer.Ledger()), "the rest came back")

	// Neither side takes any of it twice.
	require.Error(t, payer.Payment.Pay(here, out, time.Second, payer.Now))
	_, err = worker.Payment.Earn(there, accounts.Terms(sub, worker.Now), worker.Now)
	require.ErrorIs(t, err, credit.ErrVoucherReplayed)
	payer.Payment.Withdraw(here, worker.Signer.Peer(), payer.Now)
	require.EqualValues(t, -30, payer.Balance(t, payer.Signer.Ledger()))
}

func TestReceiptForOtherFiguresIsNotPaid(t *testing.T) {
	payer, worker := accounts.New(t, 1), accounts.New(t, 2)
	here, _, receipt := done(t, payer, worker, 30, nil)
	out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.Signer.Peer(), OutputCID: capsule.SumCID([]byte("forged")).String(), Cost: 30, Receipt: receipt}
	require.ErrorIs(t, payer.Payment.Pay(here, out, time.Second, payer.Now), credit.ErrReceiptMismatch)
	payer.Payment.Withdraw(here, worker.Signer.Peer(), payer.Now)
	require.Zero(t, payer.Balance(t, payer.Signer.Ledger()), "a job nobody accepts costs nothing")
}

func TestJobOnOwnNode(t *testing.T) {
	p := accounts.New(t, 1)
	sub := p.Order(t, 100)
	a := p.Admit(t, sub, nil, "")
	earning, err := p.Payment.Earn(a, accounts.Terms(sub, p.Now), p.Now)
	require.NoError(t, err)
	earning.Refund(p.Now)
	require.Zero(t, p.Balance(t, p.Signer.Ledger()))
}

func TestPromiseNeedsTheLedgersKey(t *testing.T) {
	p, other := accounts.New(t, 1), accounts.New(t, 2)
	require.NoError(t, p.Ledger.OpenAccount(other.Signer.Ledger(), accounts.Line, p.Now))
	sub := other.Order(t, 10)
	_, err := p.Payment.Promise(p.Admit(t, sub, nil, ""), "", accounts.Terms(sub, p.Now), p.Now)
	require.ErrorIs(t, err, credit.ErrVoucherMissing)
}
