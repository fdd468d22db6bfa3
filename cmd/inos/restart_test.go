//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel"
)

// holdsOne waits until the node has money held for a job.
func (p *process) holdsOne() {
	p.t.Helper()
	held := regexp.MustCompile(`(?m)^inos_ledger_held_microcredits [1-9]`)
	require.Eventually(p.t, func() bool {
		_, metrics := get(p.t, p.ready.Monitor+"/metrics")
		return held.MatchString(metrics)
	}, time.Minute, 10*time.Millisecond, "it holds the voucher")
}

// listens is where the node listens, for another run of it: with another certificate.
func (p *process) listens() string {
	p.t.Helper()
	addr, _, ok := strings.Cut(p.ready.Addrs[0], "/p2p/")
	require.True(p.t, ok)
	addr, _, _ = strings.Cut(addr, "/certhash/")
	return addr
}

// promised is the hold of n for a job that payee has.
func promised(t *testing.T, n *native, payee string) credit.HoldID {
	t.Helper()
	for _, h := range n.Ledger.Holds() {
		if h.Payee == identity.PeerID(payee) {
			return h.ID
		}
	}
	require.Fail(t, "nothing is held for "+payee)
	return credit.HoldID{}
}

// A worker that is killed in the middle of a job and comes back says that it will not bill
// it: the payer has its money back long before the voucher expires.
func TestAWorkerThatComesBackGivesBack(t *testing.T) {
	args := []string{"node", "--name", "worker", "--capabilities", "storage", "--cost", "1000", "--slots", "1",
		"--data", filepath.Join(t.TempDir(), "data"), "--log", "json"}
	worker := run(t, nil, append(args, "--listen", string(loopback[0]))...)
	addr := worker.listens()
	n, dispatch := customer(t, worker.ready.Addrs[0])
	heard(t, n, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := dispatch("4000000000")
		ended <- err
	}()
	worker.holdsOne()
	hold := promised(t, n, worker.ready.PeerID)
	require.Equal(t, credit.FateHeld, n.Ledger.Fate(hold))
	worker.crash()
	worker = run(t, nil, append(args, "--listen", addr)...)
	back := time.Now()
	require.NoError(t, n.Kernel.Join(t.Context(), n.mesh, worker.ready.Addrs[:1]))
	require.Eventually(t, func() bool { return n.Ledger.Fate(hold) == credit.FateRefunded }, time.Minute, 10*time.Millisecond)
	t.Logf("back %v after its start", time.Since(back))
	require.NoError(t, n.Kernel.Cancel(t.Context(), jobOf(t, n)))
	<-ended
	worker.crash()
	out, _, err := inos(t, "ledger", "history", "--data", args[10])
	require.NoError(t, err)
	require.Contains(t, out, " refund ")
}

// A worker that is killed before it has the voucher on its disk knows nothing of it when it
// comes back: its payer, whose job another node has done meanwhile, asks and has its money
// back long before the voucher expires.
func TestAWorkerThatNeverHeldItGivesBack(t *testing.T) {
	data, before := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "before")
	work := func(data, listen string) *process {
		return run(t, nil, "node", "--name", "worker", "--capabilities", "storage", "--cost", "1000", "--slots", "1",
			"--data", data, "--listen", listen)
	}
	worker := work(data, string(loopback[0]))
	addr := worker.listens()
	worker.crash()
	require.NoError(t, os.CopyFS(before, os.DirFS(data)))
	worker = work(data, addr)
	n, dispatch := customer(t, worker.ready.Addrs[0])
	heard(t, n, 1)
	type end struct {
		out kernel.Outcome
		err error
	}
	ended := make(chan end, 1)
	go func() {
		out, err := dispatch("20000000")
		ended <- end{out, err}
	}()
	worker.holdsOne()
	hold := promised(t, n, worker.ready.PeerID)
	worker.crash()

	other := run(t, nil, "node", "--name", "other", "--capabilities", "storage", "--listen", string(loopback[0]))
	require.NoError(t, n.Kernel.Join(t.Context(), n.mesh, other.ready.Addrs[:1]))
	e := <-ended
	require.NoError(t, e.err)
	require.EqualValues(t, other.ready.PeerID, e.out.Node)
	require.Equal(t, credit.FateHeld, n.Ledger.Fate(hold), "nobody knows what became of it")

	worker = work(before, addr)
	require.NoError(t, n.Kernel.Join(t.Context(), n.mesh, worker.ready.Addrs[:1]))
	back := time.Now()
	require.Eventually(t, func() bool { return n.Ledger.Fate(hold) == credit.FateRefunded }, time.Minute, 10*time.Millisecond)
	t.Logf("back %v after they met", time.Since(back))
	worker.crash()
	out, _, err := inos(t, "ledger", "verify", "--data", before)
	require.NoError(t, err)
	require.Contains(t, out, "held 0 in 0 holds")
}
