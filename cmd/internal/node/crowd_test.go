//go:build !js

package node

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/kernel"
	"inos/internal/testkit/capsules"
	"inos/internal/threads/matchmaker"
)

// pair is a payer without slots of its own and a worker, of the figures that they have
// when nobody sets any, and a capsule that the payer has.
func pair(t *testing.T, seed byte, name string, change func(payer, worker *Config)) (home, worker *peer, cid capsule.CID) {
	t.Helper()
	mine := Config{Slots: -1, Allowance: 100_000_000, StrangerLine: 10_000_000, CreditCost: 10}
	theirs := Config{Slots: 4, Allowance: 100_000_000, StrangerLine: 10_000_000, CreditCost: 10}
	if change != nil {
		change(&mine, &theirs)
	}
	set := func(c *Config, to Config) {
		c.Slots, c.Allowance, c.StrangerLine, c.CreditCost = to.Slots, to.Allowance, to.StrangerLine, to.CreditCost
	}
	home = start(t, seed, func(c *Config) { set(c, mine) })
	worker = start(t, seed+1, func(c *Config) { set(c, theirs) })
	cid, err := home.Library.Publish(name, capsules.Built(t, name))
	require.NoError(t, err)
	events, cancel := home.Kernel.Subscribe(256)
	defer cancel()
	require.NoError(t, home.Kernel.Join(t.Context(), home.mesh, worker.mesh.Addrs()))
	for e := range events {
		if _, ok := e.(kernel.NodeHeard); ok {
			break
		}
	}
	return home, worker, cid
}

// all dispatches n jobs at once and returns what each came to.
func all(t *testing.T, home *peer, n int, job func() kernel.Submission) (outs []kernel.Outcome, errs []error) {
	t.Helper()
	outs, errs = make([]kernel.Outcome, n), make([]error, n)
	var done sync.WaitGroup
	for i := range n {
		sub := job()
		done.Go(func() { outs[i], errs[i] = home.Kernel.Dispatch(t.Context(), sub) })
	}
	done.Wait()
	return outs, errs
}

// As many jobs at once as one likes, of which none names a budget or a deadline: each
// costs a microcredit or a few, and neither the allowance of 100 credits nor the worker's
// line of 10 is in the way.
func TestTwoHundredJobsAtOnce(t *testing.T) {
	home, worker, cid := pair(t, 61, "fault", nil)
	outs, errs := all(t, home, 200, func() kernel.Submission { return order(t, home, cid, "echo", 0, time.Time{}) })
	var cost uint64
	for i, err := range errs {
		require.NoError(t, err)
		cost += outs[i].Cost
	}
	require.EqualValues(t, cost, owes(t, home, home.Signer.Ledger()))
	require.EqualValues(t, cost, owes(t, worker, home.Signer.Ledger()))
}

// Of 10,000 at once those for which there is room in the queue are done. Each of the
// others is told that it is full, which passes.
func TestTenThousandJobsAtOnce(t *testing.T) {
	home, worker, cid := pair(t, 63, "fault", nil)
	outs, errs := all(t, home, 10_000, func() kernel.Submission { return order(t, home, cid, "echo", 0, time.Time{}) })
	var cost uint64
	did := 0
	for i, err := range errs {
		if err == nil {
			did++
			cost += outs[i].Cost
			continue
		}
		require.ErrorIs(t, err, matchmaker.ErrQueueFull)
	}
	require.GreaterOrEqual(t, did, 1024)
	// Nothing is held and nothing set aside: all that is left can be.
	require.Eventually(t, func() bool {
		rest := 100_000_000 - cost
		r, err := home.Ledger.Reserve(home.Signer.Ledger(), rest, rest)
		if err == nil {
			r.Release()
		}
		return err == nil
	}, time.Minute, time.Millisecond)
	require.EqualValues(t, cost, owes(t, home, home.Signer.Ledger()))
	require.EqualValues(t, cost, owes(t, worker, home.Signer.Ledger()))
}

// What is held comes free again, and the jobs that need it wait for that; what no ledger
// can ever pay fails at once, and says what is missing.
func TestJobsWaitForWhatIsHeld(t *testing.T) {
	// A run of a method that is not known yet is thought to take a minute: 60,000
	// microcredits. There are 20,000, so each job holds all of it.
	home, worker, cid := pair(t, 65, "fault", func(payer, worker *Config) {
		payer.Allowance, worker.CreditCost = 20_000, 1000
	})
	outs, errs := all(t, home, 30, func() kernel.Submission { return order(t, home, cid, "echo", 0, time.Time{}) })
	var cost uint64
	for i, err := range errs {
		require.NoError(t, err)
		cost += outs[i].Cost
	}
	require.EqualValues(t, cost, owes(t, home, home.Signer.Ledger()))
	require.EqualValues(t, cost, owes(t, worker, home.Signer.Ledger()))

	_, err := home.Kernel.Dispatch(t.Context(), order(t, home, cid, "echo", 30_000, time.Time{}))
	require.ErrorIs(t, err, credit.ErrLedgerExhausted)
	require.NotErrorIs(t, err, credit.ErrFundsHeld)
	var lack *credit.Shortage
	require.True(t, errors.As(err, &lack))
	require.EqualValues(t, 30_000, lack.Needed)
	require.EqualValues(t, 20_000-cost, lack.Available)
	require.Zero(t, lack.Held)
	require.Contains(t, err.Error(), "30000 microcredits are needed")
	require.Contains(t, err.Error(), "grant")
}

// The line that a worker grants to a payer holds no more than its jobs can cost there,
// and a job that it has no room for now is tried again.
func TestAWorkersLineIsShared(t *testing.T) {
	home, worker, cid := pair(t, 67, "fault", func(payer, worker *Config) {
		worker.CreditCost, worker.StrangerLine = 1000, 70_000 // a minute and a bit
	})
	_, errs := all(t, home, 30, func() kernel.Submission { return order(t, home, cid, "echo", 0, time.Time{}) })
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.EqualValues(t, owes(t, home, home.Signer.Ledger()), owes(t, worker, home.Signer.Ledger()))
}

// Copies of one job are paid for together or not at all.
func TestCopiesWaitForWhatIsHeld(t *testing.T) {
	home, _, cid := pair(t, 69, "fault", func(payer, worker *Config) { payer.Allowance, worker.CreditCost = 10_000, 1000 })
	third := start(t, 71, func(c *Config) { c.CreditCost = 1000 })
	_, err := home.mesh.Connect(t.Context(), third.mesh.Addrs()[0])
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		s, err := home.Kernel.Status(t.Context())
		return err == nil && s.Nodes == 2
	}, 10*time.Second, 10*time.Millisecond)
	_, errs := all(t, home, 10, func() kernel.Submission {
		sub := order(t, home, cid, "echo", 0, time.Time{})
		sub.Job.Replicas = 2
		return sub
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return len(home.Ledger.Holds()) == 0 }, 10*time.Second, 10*time.Millisecond)
}
