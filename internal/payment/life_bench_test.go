//go:build !js

package payment_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"

	"inos/internal/mesh"
	"inos/internal/payment"
	"inos/internal/store"
	"inos/internal/submit"
)

// durable is a party whose ledger and proofs are on the disk. Books with bounds that a
// benchmark does not reach.
func durable(b *testing.B, seed byte) *party {
	b.Helper()
	dir, err := store.OpenDir(filepath.Join(b.TempDir(), fmt.Sprint(seed)))
	require.NoError(b, err)
	log, _, err := store.OpenLog(dir, "ledger")
	require.NoError(b, err)
	kv, err := store.OpenKV(dir, "node")
	require.NoError(b, err)
	b.Cleanup(func() { _ = errors.Join(kv.Close(), log.Close(), dir.Close()) })
	p := &party{now: time.Now()}
	p.wallet, err = credit.NewSigner(credit.SignerConfig{Key: keyOf(seed), Codec: codec})
	require.NoError(b, err)
	p.ledger, err = credit.OpenLedger(credit.Config{Log: log, Codec: codec, Self: p.wallet.Peer(), StrangerLine: 1 << 50})
	require.NoError(b, err)
	require.NoError(b, p.ledger.OpenAccount(p.wallet.Ledger(), 1<<50, p.now))
	p.gate, err = governance.New(governance.Config{Ledgers: p.ledger, Policy: governance.Policy{Version: 1}})
	require.NoError(b, err)
	p.purse, err = payment.New(payment.Config{Signer: p.wallet, Ledger: p.ledger, Keep: kv}, p.now)
	require.NoError(b, err)
	return p
}

// life is one paid job between two nodes: admitted and held on both, done, billed, paid.
// Six writes have to be durable: two holds, two settlements, the proof and the receipt.
func life(payer, worker *party) error {
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("wasm")), Method: "m", Input: []byte("in"), Budget: 100,
		CreditLedgerID: string(payer.wallet.Ledger()), Module: "test", Device: payer.wallet.Peer()}, payer.now)
	if err != nil {
		return err
	}
	here, err := payer.gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job}, payer.now)
	if err != nil {
		return err
	}
	defer payer.gate.Done(here)
	voucher, err := payer.purse.Promise(here, worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	if err != nil {
		return err
	}
	there, err := worker.gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher,
		From: payer.wallet.Peer(), Payee: worker.wallet.Peer()}, worker.now)
	if err != nil {
		return err
	}
	defer worker.gate.Done(there)
	earning, err := worker.purse.Earn(there, terms(sub, worker.now), worker.now)
	if err != nil {
		return err
	}
	w := work(sub, 30, worker.now)
	receipt, err := earning.Collect(w, worker.now)
	if err != nil {
		return err
	}
	return payer.purse.Pay(here, mesh.JobOutcome{JobID: sub.Job.ID, Node: worker.wallet.Peer(), OutputCID: w.OutputCID, Cost: w.Cost,
		Receipt: receipt}, time.Second, payer.now)
}

// BenchmarkPaidJob: each op is the whole life of a paid job, on two nodes' books that
// share one machine, with everything that has to be durable.
func BenchmarkPaidJob(b *testing.B) {
	for _, workers := range []int{1, 50, 500} {
		b.Run(fmt.Sprint("workers=", workers), func(b *testing.B) {
			payer, worker := durable(b, 1), durable(b, 2)
			var next atomic.Int64
			var failed atomic.Value
			var wg sync.WaitGroup
			b.ResetTimer()
			start := time.Now()
			for range workers {
				wg.Go(func() {
					for next.Add(1) <= int64(b.N) && failed.Load() == nil {
						if err := life(payer, worker); err != nil {
							failed.Store(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "jobs/s")
			if err := failed.Load(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
