//go:build unix

package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/submit"
)

// customer is a node of this process that sends jobs to those it is joined to.
func customer(t *testing.T, bootstrap ...string) (n *native, dispatch func(steps string) (kernel.Outcome, error)) {
	t.Helper()
	n, err := start(context.Background(), nodeFlags{Name: "customer", Allowance: 100_000_000, LogLevel: "error"}, io.Discard)
	require.NoError(t, err)
	t.Cleanup(func() {
		n.stop()
		require.NoError(t, n.wait())
	})
	wasm, err := os.ReadFile(builtCapsules + "fault.wasm")
	require.NoError(t, err)
	cid, err := n.Library.Publish("fault", wasm)
	require.NoError(t, err)
	for _, addr := range bootstrap {
		require.NoError(t, n.Kernel.Join(t.Context(), n.mesh, []string{addr}))
	}
	return n, func(steps string) (kernel.Outcome, error) { return send(t, n, cid, steps) }
}

func send(t *testing.T, n *native, cid capsule.CID, steps string) (kernel.Outcome, error) {
	sub, err := submit.New(submit.Order{Capsule: cid, Method: "count", Args: []string{steps}, Device: n.mesh.Self(),
		Requirements: governance.Requirements{Capabilities: []string{"storage"}}, Deadline: time.Now().Add(5 * time.Minute),
		Budget: 1_000_000, CreditLedgerID: string(n.Signer.Ledger()), Module: "test"}, time.Now())
	if err != nil {
		return kernel.Outcome{}, err
	}
	return n.Kernel.Dispatch(t.Context(), sub)
}

// heard waits until n knows the profiles of so many others.
func heard(t *testing.T, n *native, others int) {
	t.Helper()
	require.Eventually(t, func() bool {
		nodes, err := n.Kernel.Nodes(t.Context())
		return err == nil && len(nodes) > others
	}, time.Minute, 10*time.Millisecond)
}

// A node that is told to stop while jobs run lets them end, or hands them back: every one
// of the customer's jobs succeeds, each run is paid for as long as it ran, the node's books
// add up, and its last line says what became of everything.
func TestSigtermLosesNoJob(t *testing.T) {
	for name, c := range map[string]struct {
		limit  string
		signal syscall.Signal
		steps  string
		moved  bool
	}{
		"finished":    {"5m", syscall.SIGTERM, "20000000", false},
		"handed back": {"0s", syscall.SIGINT, "40000000", true},
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			old := run(t, []string{"INOS_DRAIN_TIMEOUT=" + c.limit}, "node", "--name", "old", "--listen", string(loopback[0]), "--capabilities", "storage",
				"--cost", "1", "--slots", "3", "--data", data, "--log", "json")
			n, dispatch := customer(t, old.ready.Addrs[0])
			heard(t, n, 1)
			const jobs = 2
			type end struct {
				out kernel.Outcome
				err error
			}
			ended := make(chan end, jobs)
			for range jobs {
				go func() {
					out, err := dispatch(c.steps)
					ended <- end{out, err}
				}()
			}
			old.until(`"msg":"job:admitted"`, jobs)
			other := run(t, nil, "node", "--name", "other", "--listen", string(loopback[0]), "--capabilities", "storage", "--slots", "8", "--bootstrap", old.ready.Addrs[0])
			if c.moved {
				require.NoError(t, n.Kernel.Join(t.Context(), n.mesh, other.ready.Addrs))
				heard(t, n, 2)
			}
			old.signal(c.signal)
			where := make(map[identity.PeerID]int)
			for range jobs {
				e := <-ended
				require.NoError(t, e.err)
				require.Equal(t, c.steps, string(e.out.Output))
				where[e.out.Node]++
			}
			state, last := old.end()
			require.Equal(t, exitOK, state.ExitCode(), old.said())
			var line struct {
				Msg                                       string
				Finished, HandedBack, Done, Failed, Level any
			}
			require.NoError(t, json.Unmarshal([]byte(last), &line), last)
			require.Equal(t, "left the mesh", line.Msg)
			if c.moved {
				require.EqualValues(t, jobs, line.HandedBack, last)
				require.Equal(t, map[identity.PeerID]int{identity.PeerID(other.ready.PeerID): jobs}, where)
			} else {
				require.EqualValues(t, jobs, line.Finished, last)
				require.EqualValues(t, jobs, line.Done, last)
				require.Equal(t, map[identity.PeerID]int{identity.PeerID(old.ready.PeerID): jobs}, where)
			}
			// The customer has forgotten it long before its profile would have expired.
			require.Eventually(t, func() bool {
				nodes, err := n.Kernel.Nodes(t.Context())
				require.NoError(t, err)
				for _, k := range nodes {
					if k.Profile.Peer == identity.PeerID(old.ready.PeerID) {
						return false
					}
				}
				return true
			}, 10*time.Second, 10*time.Millisecond)
			out, _, err := inos(t, "ledger", "verify", "--data", data)
			require.NoError(t, err)
			require.Contains(t, out, "held 0 in 0 holds")
			out, _, err = inos(t, "ledger", "history", "--data", data)
			require.NoError(t, err)
			require.Equal(t, jobs, strings.Count(out, " settle "), "handed back or not, they are paid for as long as they ran")
			require.NotContains(t, out, "refund")
			other.signal(syscall.SIGTERM)
			state, _ = other.end()
			require.Equal(t, exitOK, state.ExitCode())
		})
	}
}

// A second signal does not wait for anything.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	node := run(t, nil, "node", "--listen", string(loopback[0]), "--capabilities", "storage", "--drain-timeout", "1h")
	n, dispatch := customer(t, node.ready.Addrs[0])
	heard(t, n, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = dispatch("4000000000")
		cancel()
	}()
	node.until("job:admitted", 1)
	node.signal(syscall.SIGTERM)
	node.until("draining", 1)
	node.signal(syscall.SIGTERM)
	state, _ := node.end()
	require.False(t, state.Success())
	require.NotContains(t, node.said(), "left the mesh")
	require.NoError(t, n.Kernel.Cancel(t.Context(), jobOf(t, n)))
	<-ctx.Done()
}

func jobOf(t *testing.T, n *native) string {
	t.Helper()
	jobs, err := n.Kernel.Jobs(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, jobs)
	return jobs[0].ID
}
