// Package accounts makes the money side of nodes for tests: real signers, ledgers, gates
// and payment services, without a kernel or a mesh. Only tests import it.
package accounts

import (
	"cmp"
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
	"inos/internal/testkit"
	"inos/internal/wire"
)

const (
	// Line is what a Party's own ledger may spend, and what it lends to a stranger.
	Line = 1000
	// Price is what capsule time costs on every Party, in microcredits a second.
	Price = 1000
)

// Party is one node's money side. Now is its clock, which the test moves.
type Party struct {
	Signer  *credit.Signer
	Ledger  *credit.Ledger
	Gate    *governance.Gate
	Payment *payment.Service
	Now     time.Time
}

// Config of a Party; zero figures mean the defaults.
type Config struct {
	Key  byte          // its number; see testkit.Key
	Line uint64        // 0 means Line
	Log  credit.Log    // nil: one in memory
	Keep payment.Store // nil: nothing outlasts the Party
	// CheckpointEvery is the ledger's; 0 means its default.
	CheckpointEvery int
}

// New is a Party with key number n.
func New(t testing.TB, n byte) *Party { return Open(t, Config{Key: n}) }

// Open is a Party on what cfg has. One on the Log and the KVStore of another goes on where
// that one ended.
func Open(t testing.TB, cfg Config) *Party {
	t.Helper()
	p, err := Make(cfg)
	require.NoError(t, err)
	return p
}

// Make is Open for a program without a test.
func Make(cfg Config) (*Party, error) {
	p := &Party{Now: time.Now()}
	line, log := cmp.Or(cfg.Line, Line), cfg.Log
	if log == nil {
		log = &credit.MemoryLog{}
	}
	var err error
	if p.Signer, err = credit.NewSigner(credit.SignerConfig{Key: testkit.Key(cfg.Key), Codec: wire.Credit{}}); err != nil {
		return nil, err
	}
	p.Ledger, err = credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}, Self: p.Signer.Peer(), StrangerLine: line,
		CheckpointEvery: cfg.CheckpointEvery})
	if err != nil {
		return nil, err
	}
	if err := p.Ledger.OpenAccount(p.Signer.Ledger(), line, p.Now); err != nil {
		return nil, err
	}
	if p.Gate, err = governance.New(governance.Config{Ledgers: p.Ledger}); err != nil {
		return nil, err
	}
	p.Payment, err = payment.New(payment.Config{Signer: p.Signer, Ledger: p.Ledger, Keep: cfg.Keep}, p.Now)
	return p, err
}

// Admit passes a job through p's gate. from is the node that sent it, with a voucher;
// empty: it is p's own.
func (p *Party) Admit(t testing.TB, sub kernel.Submission, voucher []byte, from identity.PeerID) governance.Admitted {
	t.Helper()
	req := governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher, From: from}
	if from != "" {
		req.Payee = p.Signer.Peer()
	}
	a, err := p.Gate.Admit(req, p.Now)
	require.NoError(t, err)
	return a
}

// Balance is what id has in p's books.
func (p *Party) Balance(t testing.TB, id identity.LedgerID) int64 {
	t.Helper()
	b, ok := p.Ledger.Balance(id)
	require.True(t, ok)
	return b.Balance
}

// Order is a job of p's with a budget in microcredits.
func (p *Party) Order(t testing.TB, budget uint64) kernel.Submission {
	t.Helper()
	sub, err := submit.New(submit.Order{
		Capsule: capsule.SumCID([]byte("wasm")), Method: "m", Input: []byte("in"), Budget: budget,
		CreditLedgerID: string(p.Signer.Ledger()), Module: "test", Device: p.Signer.Peer(),
	}, p.Now)
	require.NoError(t, err)
	return sub
}

// Terms are those of a job on any Party.
func Terms(sub kernel.Submission, now time.Time) kernel.Terms {
	return kernel.Terms{Price: Price, Amount: sub.Job.Budget, Until: now.Add(time.Minute)}
}

// Work is what a worker did for sub, at a cost.
func Work(sub kernel.Submission, cost uint64, now time.Time) kernel.Work {
	return kernel.Work{CapsuleCID: sub.Job.Capsule, InputCID: sub.Job.InputCID, OutputCID: capsule.SumCID([]byte("out")).String(),
		Cost: cost, Started: now, Finished: now.Add(time.Second), Code: mesh.JobOK}
}

// Send is a job of payer's with a budget that worker has accepted: the money is held on
// both sides.
func Send(t testing.TB, payer, worker *Party, budget uint64) (sub kernel.Submission, here governance.Admitted, earning kernel.Earning) {
	t.Helper()
	sub = payer.Order(t, budget)
	here = payer.Admit(t, sub, nil, "")
	voucher, err := payer.Payment.Promise(here, worker.Signer.Peer(), Terms(sub, payer.Now), payer.Now)
	require.NoError(t, err)
	earning, err = worker.Payment.Earn(worker.Admit(t, sub, voucher, payer.Signer.Peer()), Terms(sub, worker.Now), worker.Now)
	require.NoError(t, err)
	return sub, here, earning
}
