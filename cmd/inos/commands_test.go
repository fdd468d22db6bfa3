package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/keyfile"
	"inos/internal/store"
	"inos/internal/wire"
)

// inos runs one command line and returns what it printed.
func inos(t *testing.T, args ...string) (out, diag string, err error) {
	t.Helper()
	var o, d bytes.Buffer
	err = dispatch(&session{ctx: t.Context(), in: strings.NewReader(""), out: &o, diag: &d}, args)
	return o.String(), d.String(), err
}

func TestLedgerCommands(t *testing.T) {
	data := t.TempDir()
	_, log, done, err := openLedger(data, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
	require.NoError(t, err)
	key, err := keyfile.Generate()
	require.NoError(t, err)
	w, err := credit.NewSigner(credit.SignerConfig{Key: key, Codec: wire.Credit{}})
	require.NoError(t, err)
	now := time.Now()
	require.NoError(t, l.OpenAccount(w.Ledger(), 0, now))
	require.NoError(t, l.Grant(w.Ledger(), 1_500_000, now))
	// The node is running: its books can be read, and not be changed.
	for _, read := range []string{"verify", "balance", "history", "export"} {
		out, diag, err := inos(t, "ledger", read, "-data", data)
		require.NoError(t, err)
		require.NotEmpty(t, out)
		require.Contains(t, diag, "running")
	}
	for _, change := range [][]string{{"grant", "-credits", "1"}, {"revoke"}} {
		_, _, err = inos(t, append(append([]string{"ledger"}, change...), "-data", data, "-ledger", string(w.Ledger()))...)
		require.ErrorIs(t, err, store.ErrLocked)
	}
	_, _, err = inos(t, "ledger", "proofs", "-data", data)
	require.ErrorIs(t, err, store.ErrLocked)
	require.NoError(t, errors.Join(l.Close(), done()))

	out, _, err := inos(t, "ledger", "verify", "-data", data)
	require.NoError(t, err)
	require.Contains(t, out, "ok: 2 entries")
	out, _, err = inos(t, "ledger", "balance", "-data", data)
	require.NoError(t, err)
	require.Contains(t, out, "1.5")
	out, _, err = inos(t, "ledger", "history", "-data", data, "-ledger", string(w.Ledger()), "-n", "1")
	require.NoError(t, err)
	require.Contains(t, out, "grant")
	require.NotContains(t, out, "account")
	out, _, err = inos(t, "ledger", "export", "-data", data)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(out, "\n"))
	out, _, err = inos(t, "ledger", "proofs", "-data", data)
	require.NoError(t, err)
	require.Empty(t, out)

	// What the owner may change: by default of the node's own ledger.
	_, _, err = inos(t, "ledger", "grant", "-data", data, "-credits", "1")
	require.ErrorContains(t, err, "--ledger or --key")
	id, _, err := inos(t, "id", "-make", "-key", filepath.Join(data, "key"))
	require.NoError(t, err)
	self := strings.Fields(id)[1]
	change := func(args ...string) (string, error) {
		out, _, err := inos(t, append(append([]string{"ledger"}, args...), "-data", data)...)
		return out, err
	}
	_, err = change("grant", "-credits", "1")
	require.ErrorIs(t, err, credit.ErrLedgerUnknown)
	_, err = change("line", "-credits", "20")
	require.NoError(t, err)
	out, err = change("grant", "-credits", "12.25")
	require.NoError(t, err)
	require.Regexp(t, self+` +12\.25 +0 +0 +20 +32\.25 +open`, out)
	out, err = change("withdraw", "-credits", "2.25")
	require.NoError(t, err)
	require.Regexp(t, self+` +10 +`, out)
	out, err = change("revoke", "-ledger", string(w.Ledger()))
	require.NoError(t, err)
	require.Contains(t, out, "revoked")
	out, err = change("restore", "-ledger", string(w.Ledger()))
	require.NoError(t, err)
	require.NotContains(t, out, "revoked")
	for _, bad := range [][]string{{"grant"}, {"grant", "-credits", "-1"}, {"revoke"}, {"grant", "-credits", "1", "-ledger", "nobody"}} {
		_, err = change(bad...)
		require.Error(t, err, "%v", bad)
	}

	// A flipped bit is found and named.
	path := filepath.Join(data, "ledger.log")
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	raw[60] ^= 4
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	_, _, err = inos(t, "ledger", "verify", "-data", data)
	require.ErrorContains(t, err, "record 0")
}

func TestPolicyCommands(t *testing.T) {
	dir := t.TempDir()
	text, signed, key := filepath.Join(dir, "text"), filepath.Join(dir, "signed"), filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(text, []byte("policy \"night\"\nversion 3\nbudget 1.5\n"), 0o600))
	out, _, err := inos(t, "policy", "check", text)
	require.NoError(t, err)
	require.Equal(t, "ok: policy \"night\", version 3\n", out)
	_, _, err = inos(t, "id", "-make", "-key", key)
	require.NoError(t, err)
	_, _, err = inos(t, "policy", "sign", "-key", key, "-out", signed, text)
	require.NoError(t, err)
	out, _, err = inos(t, "policy", "show", signed)
	require.NoError(t, err)
	id, _, err := inos(t, "id", "-key", key)
	require.NoError(t, err)
	signer, _, _ := strings.Cut(id, "\n")
	require.Contains(t, out, "# signed by "+signer)
	require.Contains(t, out, "budget 1.5")

	p, err := loadPolicy(signed, []string{signer})
	require.NoError(t, err)
	require.EqualValues(t, 3, p.Version)
	_, err = loadPolicy(signed, nil)
	require.ErrorContains(t, err, "--policy-signer")

	raw, err := os.ReadFile(signed)
	require.NoError(t, err)
	raw[len(raw)-1] ^= 1
	require.NoError(t, os.WriteFile(signed, raw, 0o600))
	_, err = loadPolicy(signed, []string{signer})
	require.Error(t, err)
	require.NoError(t, os.WriteFile(text, []byte("policy \"x\"\nversion 3\nbudgets 1\n"), 0o600))
	_, _, err = inos(t, "policy", "check", text)
	require.ErrorContains(t, err, "line 3")
}

func TestOnlyHere(t *testing.T) {
	here := []string{"/ip4/127.0.0.1/udp/4001/quic-v1/webtransport/p2p/Q", "/ip6/::1/udp/4001/quic-v1"}
	require.True(t, onlyHere(here))
	require.False(t, onlyHere(append(here, "/ip4/10.0.0.7/udp/4001/quic-v1/webtransport/p2p/Q")))
	require.False(t, onlyHere([]string{"/ip6/2001:db8::1/udp/4001/quic-v1"}))
}

func TestOwnerCommand(t *testing.T) {
	dir := t.TempDir()
	node, owner, word := filepath.Join(dir, "node"), filepath.Join(dir, "owner"), filepath.Join(dir, "word")
	id := func(key string) identity.PeerID {
		out, _, err := inos(t, "id", "-make", "-key", key)
		require.NoError(t, err)
		peer, _, _ := strings.Cut(out, "\n")
		return identity.PeerID(peer)
	}
	id(owner)
	out, _, err := inos(t, "owner", "-key", owner, "-node", string(id(node)), "-out", word)
	require.NoError(t, err)
	require.Equal(t, string(id(owner))+" owns "+string(id(node))+"\n", out)
	raw, err := loadOwnership(word)
	require.NoError(t, err)
	got, err := wire.OpenOwnership(raw, id(node))
	require.NoError(t, err)
	require.Equal(t, id(owner), got)
}
