//go:build unix

package main

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(raw)
}

// An operator sees how a node is and what it did; systemd hears that it is ready, that it
// lives and that it stops.
func TestMonitor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { _ = notify.Close() }()
	hear := func(want string) {
		t.Helper()
		require.NoError(t, notify.SetReadDeadline(time.Now().Add(time.Minute)))
		for buf := make([]byte, 256); ; {
			n, err := notify.Read(buf)
			require.NoError(t, err, want)
			if string(buf[:n]) == want {
				return
			}
		}
	}
	node := run(t, []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=300000", "WATCHDOG_PID="}, "node", "--listen", string(loopback[0]),
		"--capabilities", "storage", "--cost", "1000", "--drain-timeout", "1h")
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, node.ready.Monitor)
	hear("READY=1")
	hear("WATCHDOG=1")
	addr := strings.TrimPrefix(node.ready.Monitor, "http://")
	for _, probe := range []string{"/healthz", "/readyz"} {
		code, body := get(t, node.ready.Monitor+probe)
		require.Equal(t, 200, code)
		require.Contains(t, body, `"status":"ok"`)
	}
	out, _, err := inos(t, "health", "--monitor", addr, "--ready")
	require.NoError(t, err)
	require.Contains(t, out, `"slots":4`)

	n, dispatch := customer(t, node.ready.Addrs[0])
	heard(t, n, 1)
	_, err = dispatch("1000")
	require.NoError(t, err)
	metrics := func() string {
		code, body := get(t, node.ready.Monitor+"/metrics")
		require.Equal(t, 200, code)
		return body
	}
	require.Eventually(t, func() bool { return strings.Contains(metrics(), `inos_jobs_total{outcome="ok",whose="others"} 1`) }, time.Minute, 10*time.Millisecond)
	for _, want := range []string{"inos_up 1", "inos_draining 0", "inos_slots 4", "inos_slots_free 4", "inos_peers 1", "inos_capsule_run_seconds_count 1",
		`inos_build_info{version="development"} 1`, "inos_ledger_accounts 2", "inos_ledger_imbalance_microcredits 0", "go_goroutines", "inos_jobs_waiting 0"} {
		require.Contains(t, metrics(), want)
	}
	require.Regexp(t, `inos_jobs_cost_microcredits_total\{whose="others"\} [1-9]`, metrics())

	ended := make(chan error, 1)
	go func() {
		_, err := dispatch("4000000000")
		ended <- err
	}()
	node.until("job:admitted", 2)
	node.signal(syscall.SIGTERM)
	hear("STOPPING=1")
	require.Eventually(t, func() bool {
		code, _ := get(t, node.ready.Monitor+"/readyz")
		return code == 503
	}, time.Minute, 10*time.Millisecond)
	code, body := get(t, node.ready.Monitor+"/healthz")
	require.Equal(t, 200, code, "it lives")
	require.Contains(t, body, `"status":"draining"`)
	_, _, err = inos(t, "health", "--monitor", addr, "--ready")
	require.ErrorContains(t, err, "draining")
	require.NoError(t, n.Kernel.Cancel(t.Context(), jobOf(t, n)))
	require.Error(t, <-ended)
	state, _ := node.end()
	require.True(t, state.Success(), node.said())
	_, _, err = inos(t, "health", "--monitor", addr)
	require.ErrorContains(t, err, "nobody answers")
}
