//go:build unix

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/keyfile"
	"inos/internal/wire"
)

// until hands on what is written to whoever waits for a text.
type until struct{ seen chan string }

func (u until) Write(p []byte) (int, error) {
	u.seen <- string(p)
	return len(p), nil
}

func (u until) wait(t *testing.T, text string) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case line := <-u.seen:
			if strings.Contains(line, text) {
				return
			}
		case <-limit:
			t.Fatalf("never said %q", text)
		}
	}
}

// A running node takes a newer policy on SIGHUP, and keeps the old one when the new
// one is damaged or of somebody else.
func TestPolicyIsReadAgainOnHangup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy")
	write := func(p governance.Policy, keyPath string) {
		k, err := keyfile.LoadOrMake(filepath.Join(dir, keyPath))
		require.NoError(t, err)
		raw, err := wire.Policies{}.SealPolicy(p, k)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+".new", raw, 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	write(governance.Policy{Name: "first", Version: 1}, "key")
	diag := until{make(chan string, 1024)}
	n, err := start(t.Context(), nodeFlags{Name: "n", Key: filepath.Join(dir, "key"), Policy: path, Slots: 1, Listen: []listenAddr{"/ip4/127.0.0.1/udp/0/quic-v1"}}, diag)
	require.NoError(t, err)
	t.Cleanup(func() {
		n.stop()
		require.NoError(t, n.wait())
	})
	require.EqualValues(t, 1, n.Gate.Policy().Version)
	hangup := func() { require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP)) }

	write(governance.Policy{Name: "second", Version: 2, Budget: 5}, "key")
	hangup()
	diag.wait(t, `"policy is in force" node=n policy=second version=2`)
	require.EqualValues(t, 2, n.Gate.Policy().Version)

	write(governance.Policy{Name: "third", Version: 3}, "stranger")
	hangup()
	diag.wait(t, "the old one stays")
	require.NoError(t, os.WriteFile(path, []byte("no policy"), 0o600))
	hangup()
	diag.wait(t, "the old one stays")
	write(governance.Policy{Name: "old", Version: 1}, "key")
	hangup()
	diag.wait(t, "the old one stays")
	require.EqualValues(t, 2, n.Gate.Policy().Version)

	write(governance.Policy{Name: "tried", Version: 4}, "key")
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	diag.wait(t, `"policy is not in force" node=n policy=tried version=4 different=0 of=0`)
	require.EqualValues(t, 2, n.Gate.Policy().Version)
}

// What was in force is remembered: an older policy is not taken after a restart.
func TestPolicyVersionOutlivesTheProgram(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy")
	k, err := keyfile.LoadOrMake(filepath.Join(dir, "key"))
	require.NoError(t, err)
	run := func(version uint64) error {
		raw, err := wire.Policies{}.SealPolicy(governance.Policy{Version: version}, k)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		n, err := start(t.Context(), nodeFlags{Name: "n", Key: filepath.Join(dir, "key"), Policy: path, Slots: 1, Data: filepath.Join(dir, "data"), Listen: []listenAddr{"/ip4/127.0.0.1/udp/0/quic-v1"}}, io.Discard)
		if err != nil {
			return err
		}
		require.Equal(t, version, n.Gate.Policy().Version)
		n.stop()
		return n.wait()
	}
	require.NoError(t, run(2))
	require.NoError(t, run(2), "the same again")
	require.ErrorIs(t, run(1), governance.ErrPolicyStale)
	require.NoError(t, run(3))
}
