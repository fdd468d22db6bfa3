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

	"github.com/stretchr/testify/require"
)

// withInput runs one command line with text as its standard input.
func withInput(t *testing.T, text string, args ...string) (out, diag string, err error) {
	t.Helper()
	var o, d bytes.Buffer
	err = dispatch(&session{ctx: t.Context(), in: strings.NewReader(text), out: &o, diag: &d}, args)
	return o.String(), d.String(), err
}

// Results go to standard output or a file, all else to standard error; --json says all of
// it in one object.
func TestCapsuleRun(t *testing.T) {
	const hello = "sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	hash, words := builtCapsules+"hash.wasm", builtCapsules+"wordcount.wasm"
	out, diag, err := withInput(t, "hello", "capsule", "run", hash, "--method", "sha256")
	require.NoError(t, err)
	require.Equal(t, hello, strings.TrimSpace(out))
	require.Regexp(t, `^spawned in [0-9.]+ ms, ran [0-9.]+ ms: 5 bytes in, 72 out\n$`, diag)

	dir := t.TempDir()
	input, output := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	require.NoError(t, os.WriteFile(input, []byte("hello"), 0o600))
	out, diag, err = withInput(t, "other", "capsule", "run", "-q", hash, "--method", "sha256", "--input", input, "--output", output)
	require.NoError(t, err)
	require.Empty(t, out)
	require.Empty(t, diag, "quiet")
	raw, err := os.ReadFile(output)
	require.NoError(t, err)
	require.Equal(t, hello, strings.TrimSpace(string(raw)))

	// A stream reaches the capsule before the method that reads what it has kept.
	for _, from := range [][]string{nil, {"--input", input}} {
		text := "to be or not to be"
		if from != nil {
			require.NoError(t, os.WriteFile(input, []byte(text), 0o600))
			text = ""
		}
		out, diag, err = withInput(t, text, append([]string{"capsule", "run", "--stream", "--method", "total", words}, from...)...)
		require.NoError(t, err)
		require.Contains(t, out, "words 6\n")
		require.Contains(t, diag, "18 bytes in")
	}

	out, diag, err = withInput(t, "hello", "capsule", "run", "--json", hash, "--method", "sha256")
	require.NoError(t, err)
	require.Empty(t, diag)
	var r runReport
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.True(t, r.OK)
	require.Equal(t, hello, strings.TrimSpace(*r.Text))
	require.Equal(t, 5, r.InputBytes)
	require.Positive(t, r.SpawnMs)
	require.Regexp(t, `^bafkrei`, r.CID)
}

// It ends as inos job ends of the same.
func TestCapsuleRunExitCodes(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.wasm")
	require.NoError(t, os.WriteFile(broken, []byte("no capsule"), 0o600))
	for _, c := range []struct {
		line, code string
		exit       int
	}{
		{builtCapsules + "hash.wasm --method none", "unknown_method", exitCapsule},
		{builtCapsules + "hash.wasm --memory-limit 64KiB", "capsule_memory_limit", exitCapsule},
		{builtCapsules + "fault.wasm --method panic", "capsule_panicked", exitCapsule},
		{builtCapsules + "fault.wasm --method spin --timeout 1s", "deadline", exitDeadline},
		{broken, "capsule_not_wasm", exitCapsule},
	} {
		out, _, err := withInput(t, "", append([]string{"capsule", "run", "--json"}, strings.Fields(c.line)...)...)
		require.Error(t, err, c.line)
		var r runReport
		require.NoError(t, json.Unmarshal([]byte(out), &r), c.line)
		require.Equal(t, c.code, r.Code, "%s: %v", c.line, err)
		require.Equal(t, c.exit, r.Exit, "%s: %v", c.line, err)
		require.Equal(t, c.exit, exitCode(err), c.line)
		require.False(t, r.OK)
	}
	_, _, err := withInput(t, "", "capsule", "run", "nowhere.wasm")
	require.Equal(t, exitFailed, exitCode(err))
}

// A signal ends a run whose stream gives nothing.
func TestCapsuleRunIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	in, typing := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- dispatch(&session{ctx: ctx, in: in, out: io.Discard, diag: io.Discard},
			[]string{"capsule", "run", "--stream", "--method", "total", builtCapsules + "wordcount.wasm"})
	}()
	_, err := typing.Write([]byte("to be")) // it has been read: the capsule runs
	require.NoError(t, err)
	interrupt()
	require.Equal(t, exitInterrupted, exitCode(<-ended))
	require.NoError(t, typing.Close())
}

func TestCapsuleInspect(t *testing.T) {
	hash, words := builtCapsules+"hash.wasm", builtCapsules+"wordcount.wasm"
	out, diag, err := inos(t, "capsule", "inspect", hash, words)
	require.NoError(t, err)
	require.Empty(t, diag)
	require.Regexp(t, `^hash.wasm +\d+ bytes  \d+-\d+ pages  ABI \d+  bafkrei\w+\nwordcount.wasm `, out)

	broken := filepath.Join(t.TempDir(), "broken.wasm")
	require.NoError(t, os.WriteFile(broken, []byte("no capsule"), 0o600))
	out, _, err = inos(t, "capsule", "inspect", broken, hash)
	require.Equal(t, exitCapsule, exitCode(err))
	require.ErrorContains(t, err, broken)
	require.Contains(t, out, "hash.wasm", "the others are inspected, too")

	out, _, err = inos(t, "capsule", "inspect", "--json", hash, broken)
	require.Equal(t, exitCapsule, exitCode(err))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	var good, bad inspectReport
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &good))
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &bad))
	require.True(t, good.OK)
	require.Positive(t, good.Bytes)
	require.Equal(t, "capsule_not_wasm", bad.Code)
	require.Empty(t, bad.CID)

	_, _, err = inos(t, "capsule", "inspect", "nowhere.wasm")
	require.Equal(t, exitFailed, exitCode(err))
}
