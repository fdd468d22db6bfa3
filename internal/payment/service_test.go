package payment_test

import (
	"crypto/ed25519"
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
	"inos/internal/submit"
	"inos/internal/wire"
)

const (
	line  = 1000
	price = 1000 // a second, of every worker
)

// party is one node's money side.
type party struct {
	wallet *credit.Signer
	ledger *credit.Ledger
	gate   *governance.Gate
	purse  *payment.Service
	now    time.Time
}

var codec = wire.Credit{}

func keyOf(seed byte) ed25519.PrivateKey {
	var s [ed25519.SeedSize]byte
	s[0] = seed
	return ed25519.NewKeyFromSeed(s[:])
}

func newParty(t *testing.T, seed byte) *party { return partyOf(t, seed, line) }

func partyOf(t *testing.T, seed byte, line uint64) *party {
	t.Helper()
	return partyOn(t, seed, line, &credit.MemoryLog{})
}

func partyOn(t *testing.T, seed byte, line uint64, log credit.Log) *party {
	t.Helper()
	p := &party{now: time.Now()}
	var err error
	p.wallet, err = credit.NewSigner(credit.SignerConfig{Key: keyOf(seed), Codec: codec})
	require.NoError(t, err)
	p.ledger, err = credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}, Self: p.wallet.Peer(), StrangerLine: line})
	require.NoError(t, err)
	require.NoError(t, p.ledger.OpenAccount(p.wallet.Ledger(), line, p.now))
	p.gate, err = governance.New(governance.Config{Ledgers: p.ledger})
	require.NoError(t, err)
	p.purse, err = payment.New(payment.Config{Signer: p.wallet, Ledger: p.ledger}, p.now)
	require.NoError(t, err)
	return p
}

// admit passes a fresh job of the payer's through p's gate.
func (p *party) admit(t *testing.T, sub kernel.Submission, voucher []byte, from identity.PeerID) governance.Admitted {
	t.Helper()
	req := governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher, From: from}
	if from != "" {
		req.Payee = p.wallet.Peer()
	}
	a, err := p.gate.Admit(req, p.now)
	require.NoError(t, err)
	return a
}

func (p *party) spendable(t *testing.T, id identity.LedgerID) int64 {
	t.Helper()
	b, ok := p.ledger.Balance(id)
	require.True(t, ok)
	return b.Balance
}

func order(t *testing.T, payer *party, budget uint64) kernel.Submission {
	t.Helper()
	sub, err := submit.New(submit.Order{
		Capsule: capsule.SumCID([]byte("wasm")), Method: "m", Input: []byte("in"), Budget: budget,
		CreditLedgerID: string(payer.wallet.Ledger()), Module: "test", Device: payer.wallet.Peer(),
	}, payer.now)
	require.NoError(t, err)
	return sub
}

// terms are those of a job on a worker of these tests.
func terms(sub kernel.Submission, now time.Time) kernel.Terms {
	return kernel.Terms{Price: price, Amount: sub.Job.Budget, Until: now.Add(time.Minute)}
}

// work is what the worker did for sub, at a cost.
func work(sub kernel.Submission, cost uint64, now time.Time) kernel.Work {
	return kernel.Work{CapsuleCID: sub.Job.Capsule, InputCID: sub.Job.InputCID, OutputCID: capsule.SumCID([]byte("out")).String(),
		Cost: cost, Started: now, Finished: now.Add(time.Second), Code: mesh.JobOK}
}

// done is a job of payer's that worker has done and billed; change, which may be nil,
// is what worker says otherwise of it.
func done(t *testing.T, payer, worker *party, cost uint64, change func(*kernel.Work)) (here governance.Admitted, w kernel.Work, receipt []byte) {
	t.Helper()
	sub := order(t, payer, 100)
	here = payer.admit(t, sub, nil, "")
	voucher, err := payer.purse.Promise(here, worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	require.NoError(t, err)
	earning, err := worker.purse.Earn(worker.admit(t, sub, voucher, payer.wallet.Peer()), terms(sub, worker.now), worker.now)
	require.NoError(t, err)
	w = work(sub, cost, worker.now)
	if change != nil {
		change(&w)
	}
	receipt, err = earning.Collect(w, worker.now)
	require.NoError(t, err)
	return here, w, receipt
}

func TestPaidJobBetweenTwoNodes(t *testing.T) {
	payer, worker := newParty(t, 1), newParty(t, 2)
	sub := order(t, payer, 100)
	here := payer.admit(t, sub, nil, "")
	voucher, err := payer.purse.Promise(here, worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	require.NoError(t, err)
	require.EqualValues(t, -100, payer.spendable(t, payer.wallet.Ledger()), "held before the voucher leaves")

	there := worker.admit(t, sub, voucher, payer.wallet.Peer())
	earning, err := worker.purse.Earn(there, terms(sub, worker.now), worker.now)
	require.NoError(t, err)
	w := work(sub, 30, worker.now)
	receipt, err := earning.Collect(w, worker.now)
	require.NoError(t, err)
	require.EqualValues(t, -30, worker.spendable(t, payer.wallet.Ledger()))

	out := mesh.JobOutcome{JobID: sub.Job.ID, Node: worker.wallet.Peer(), OutputCID: w.OutputCID, Cost: 30, Receipt: receipt}
	require.NoError(t, payer.purse.Pay(here, out, time.Second, payer.now))
	require.EqualValues(t, -30, payer.spendable(t, payer.wallet.Ledger()), "the rest came back")

	// Neither side takes any of it twice.
	require.Error(t, payer.purse.Pay(here, out, time.Second, payer.now))
	_, err = worker.purse.Earn(there, terms(sub, worker.now), worker.now)
	require.ErrorIs(t, err, credit.ErrVoucherReplayed)
	payer.purse.Withdraw(here, worker.wallet.Peer(), payer.now)
	require.EqualValues(t, -30, payer.spendable(t, payer.wallet.Ledger()))
}

func TestReceiptForOtherFiguresIsNotPaid(t *testing.T) {
	payer, worker := newParty(t, 1), newParty(t, 2)
	here, _, receipt := done(t, payer, worker, 30, nil)
	out := mesh.JobOutcome{JobID: here.Job().ID, Node: worker.wallet.Peer(), OutputCID: capsule.SumCID([]byte("forged")).String(), Cost: 30, Receipt: receipt}
	require.ErrorIs(t, payer.purse.Pay(here, out, time.Second, payer.now), credit.ErrReceiptMismatch)
	payer.purse.Withdraw(here, worker.wallet.Peer(), payer.now)
	require.Zero(t, payer.spendable(t, payer.wallet.Ledger()), "a job nobody accepts costs nothing")
}

func TestJobOnOwnNode(t *testing.T) {
	p := newParty(t, 1)
	sub := order(t, p, 100)
	a := p.admit(t, sub, nil, "")
	earning, err := p.purse.Earn(a, terms(sub, p.now), p.now)
	require.NoError(t, err)
	earning.Refund(p.now)
	require.Zero(t, p.spendable(t, p.wallet.Ledger()))
}

func TestPromiseNeedsTheLedgersKey(t *testing.T) {
	p, other := newParty(t, 1), newParty(t, 2)
	require.NoError(t, p.ledger.OpenAccount(other.wallet.Ledger(), line, p.now))
	sub := order(t, other, 10)
	_, err := p.purse.Promise(p.admit(t, sub, nil, ""), "", terms(sub, p.now), p.now)
	require.ErrorIs(t, err, credit.ErrVoucherMissing)
}
