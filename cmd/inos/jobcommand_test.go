package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const builtCapsules = "../../build/capsules/"

// lender is a running node, and how a job is sent to it.
func lender(t *testing.T, slots count) (n *native, job func(capsule string, more ...string) []string) {
	t.Helper()
	n, err := start(context.Background(), nodeFlags{Name: "lender", Slots: slots, Cost: 1000, CreditLine: 10_000_000, Capabilities: []capability{"storage"}}, io.Discard)
	require.NoError(t, err)
	t.Cleanup(func() {
		n.stop()
		require.NoError(t, n.wait())
	})
	return n, func(name string, more ...string) []string {
		return append([]string{"job", "--bootstrap", n.mesh.Addrs()[0], "--capsule", builtCapsules + name, "--requires", "storage"}, more...)
	}
}

// Results go to standard output or a file, all else to standard error; --json says all of
// it in one object.
func TestJobPutsResultsApart(t *testing.T) {
	_, job := lender(t, 4)
	run := func(input string, args ...string) (out, diag string, err error) {
		var o, d bytes.Buffer
		err = dispatch(&session{ctx: t.Context(), in: strings.NewReader(input), out: &o, diag: &d}, args)
		return o.String(), d.String(), err
	}
	const hello = "sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	out, diag, err := run("hello", job("hash.wasm", "--method", "sha256")...)
	require.NoError(t, err)
	require.Equal(t, hello, strings.TrimSpace(out))
	require.Contains(t, diag, "ran on ")
	require.NotContains(t, diag, "\x1b[", "nobody looks at it")

	dir := t.TempDir()
	input, output := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	require.NoError(t, os.WriteFile(input, []byte("hello"), 0o600))
	out, diag, err = run("other", job("hash.wasm", "-q", "--method", "sha256", "--input", input, "--output", output)...)
	require.NoError(t, err)
	require.Empty(t, out)
	require.Empty(t, diag, "quiet")
	raw, err := os.ReadFile(output)
	require.NoError(t, err)
	require.Equal(t, hello, strings.TrimSpace(string(raw)))

	_, _, err = run("", job("fault.wasm", "-q", "--method", "count", "x")...)
	require.ErrorContains(t, err, "argument 0 must be a number")
	require.NoError(t, os.WriteFile(input, []byte("3"), 0o600))
	_, _, err = run("", job("fault.wasm", "-q", "--method", "count", "@"+input)...)
	require.NoError(t, err)
	given, err := arguments([]string{"one", "--two", "@" + input, "@@three", ""})
	require.NoError(t, err)
	require.Equal(t, []string{"one", "--two", "3", "@three", ""}, given)
	_, err = arguments([]string{"\xff"})
	require.ErrorContains(t, err, "bytes go into the input")
	require.Equal(t, []string{"one", "--two"}, parsed(t, append(job("hash.wasm"), "--", "one", "--two")...).Job.Args)

	out, _, err = run("hello", job("hash.wasm", "--json", "--trace", "--method", "sha256")...)
	require.NoError(t, err)
	var r jobReport
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.True(t, r.OK && r.Exit == 0 && r.Attempts == 1 && r.Cost > 0, out)
	require.Equal(t, hello, strings.TrimSpace(*r.Text))
	require.NotEmpty(t, r.Considered)
	require.NotEmpty(t, r.Spans)

	out, _, err = run("hello", job("hash.wasm", "--json", "--method", "nosuch", "--output", output+"2")...)
	require.Equal(t, exitCapsule, exitCode(err))
	r = jobReport{}
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.False(t, r.OK)
	require.Equal(t, exitCapsule, r.Exit)
	require.Equal(t, "unknown_method", r.Code)
	require.NoFileExists(t, output+"2", "no half an output")
}

// Each way of ending has its exit code.
func TestJobExitCodes(t *testing.T) {
	n, job := lender(t, 4)
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("no module"), 0o600))
	with := func(name string, more ...string) []string { return job(name, append(more, "--input", "/dev/null")...) }
	for name, c := range map[string]struct {
		args []string
		exit int
	}{
		"done":         {with("hash.wasm", "--method", "sha256"), exitOK},
		"no such file": {with("nosuch.wasm"), exitFailed},
		"usage":        {with("hash.wasm", "--replicas", "0"), exitUsage},
		"rejected":     {with("hash.wasm", "--budget", "99999999999"), exitRejected},
		"no candidate": {with("hash.wasm", "--requires", "telescope", "--timeout", "2s"), exitDeadline},
		"deadline":     {with("fault.wasm", "--method", "spin", "--timeout", "2s"), exitDeadline},
		"panicked":     {with("fault.wasm", "--method", "panic"), exitCapsule},
		"no method":    {with("hash.wasm", "--method", "nosuch"), exitCapsule},
		"no module":    {append(with("hash.wasm"), "--capsule", text), exitCapsule},
		"no mesh":      {append([]string{"job", "--bootstrap", anyNode}, with("hash.wasm", "--timeout", "500ms")[3:]...), exitMesh},
		"budget":       {with("fault.wasm", "--method", "spin", "--budget", "300", "--timeout", "20s"), exitCredit},
		"ledger":       {with("hash.wasm", "--ledger", "ledger:"+somebody), exitCredit},
		"disputed":     {with("hash.wasm", "--replicas", "3", "--timeout", "2s"), exitNoCandidate},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := inos(t, c.args...)
			if name == "no candidate" || name == "disputed" {
				// Whether it waits for one to come is the scheduler's to say.
				require.Contains(t, []int{exitNoCandidate, exitDeadline}, exitCode(err), "%v", err)
				return
			}
			require.Equal(t, c.exit, exitCode(err), "%v", err)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	events, unsubscribe := n.Kernel.Subscribe(1024)
	defer unsubscribe()
	ended := make(chan error, 1)
	go func() {
		ended <- dispatch(&session{ctx: ctx, in: strings.NewReader(""), out: io.Discard, diag: io.Discard}, with("fault.wasm", "--method", "spin", "--timeout", "1m"))
	}()
	for e := range events {
		if e.Name() == "job:admitted" {
			break
		}
	}
	cancel()
	select {
	case err := <-ended:
		require.Equal(t, exitInterrupted, exitCode(err), "%v", err)
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
}
