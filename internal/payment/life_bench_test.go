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
	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/store"
	"inos/internal/submit"
	"inos/internal/testkit/accounts"
)

// durable returns a party whose ledger and proofs are on disk, with bounds that a benchmark does
// not reach.
func durable(b *testing.B, seed byte) *accounts.Party {
	b.Helper()
	dir, err := store.OpenDir(filepath.Join(b.TempDir(), fmt.Sprint(seed)))
	require.NoError(b, err)
	log, _, err := store.OpenLog(dir, "ledger")
	require.NoError(b, err)
	kv, err := store.OpenKV(dir, "node")
	require.NoError(b, err)
	b.Cleanup(func() { _ = errors.Join(kv.Close(), log.Close(), dir.Close()) })
	p := accounts.Open(b, accounts.Config{Key: seed, Line: 1 << 50, Log: log, Keep: kv})
	p.Gate, err = governance.New(governance.Config{Ledgers: p.Ledger, Policy: governance.Policy{Version: 1}})
	require.NoError(b, err)
	return p
}

// life is one paid job between two nodes: admitted and held on both, done, billed, paid. It
// needs six durable writes: two holds, two settlements, the proof and the receipt.
func life(payer, worker *accounts.Party) error {
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("wasm")), Method: "m", Input: []byte("in"), Budget: 100,
		CreditLedgerID: string(payer.Signer.Ledger()), Module: "test", Device: payer.Signer.Peer()}, payer.Now)
	if err != nil {
		return err
	}
	here, err := payer.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job}, payer.Now)
	if err != nil {
		return err
	}
	defer payer.Gate.Done(here)
	voucher, err := payer.Payment.Promise(here, worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
	if err != nil {
		return err
	}
	there, err := worker.Gate.Admit(governance.Request{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher,
		From: payer.Signer.Peer(), Payee: worker.Signer.Peer()}, worker.Now)
	if err != nil {
		return err
	}
	defer worker.Gate.Done(there)
	earning, err := worker.Payment.Earn(there, accounts.Terms(sub, worker.Now), worker.Now)
	if err != nil {
		return err
	}
	w := accounts.Work(sub, 30, worker.Now)
	receipt, err := earning.Collect(w, worker.Now)
	if err != nil {
		return err
	}
	return payer.Payment.Pay(here, mesh.JobOutcome{JobID: sub.Job.ID, Node: worker.Signer.Peer(), OutputCID: w.OutputCID, Cost: w.Cost,
		Receipt: receipt}, time.Second, payer.Now)
}

// BenchmarkPaidJob: each op is the whole life of a paid job, on the books of two nodes on one
// machine, with all durable writes.
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
