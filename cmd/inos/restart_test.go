//go:build unix

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
)

// A worker that is killed in the middle of a job and comes back says that it will not bill
// it: the payer has its money back long before the voucher expires.
func TestAWorkerThatComesBackGivesBack(t *testing.T) {
	args := []string{"node", "--name", "worker", "--capabilities", "storage", "--cost", "1000", "--slots", "1",
		"--data", filepath.Join(t.TempDir(), "data"), "--log", "json"}
	worker := run(t, nil, append(args, "--listen", string(loopback[0]))...)
	addr, _, ok := strings.Cut(worker.ready.Addrs[0], "/p2p/")
	require.True(t, ok)
	addr, _, _ = strings.Cut(addr, "/certhash/") // it comes back with another certificate
	n, dispatch := customer(t, worker.ready.Addrs[0])
	heard(t, n, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := dispatch("4000000000")
		ended <- err
	}()
	require.Eventually(t, func() bool {
		_, metrics := get(t, worker.ready.Monitor+"/metrics")
		return regexp.MustCompile(`(?m)^inos_ledger_held_microcredits [1-9]`).MatchString(metrics)
	}, time.Minute, 10*time.Millisecond, "it holds the voucher")
	var hold credit.HoldID
	for _, h := range n.Ledger.Holds() {
		if h.Payee != n.mesh.Self() {
			hold = h.ID
		}
	}
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
