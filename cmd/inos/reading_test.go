package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/keyfile"
	"inos/internal/store"
	"inos/internal/wire"
)

// tree is every file below a folder with what is in it, and every folder.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[path] = "folder"
			return err
		}
		raw, err := os.ReadFile(path)
		all[path] = "file " + string(raw)
		return err
	}))
	return all
}

// What is not there is an error of every command but node and serve, and stays not
// there.
func TestNothingIsMadeOfAPathThatIsNotThere(t *testing.T) {
	root := t.TempDir()
	missing, empty, text := filepath.Join(root, "missing"), filepath.Join(root, "empty"), filepath.Join(root, "text")
	require.NoError(t, os.Mkdir(empty, 0o700))
	require.NoError(t, os.WriteFile(text, []byte("policy \"x\"\nversion 1\n"), 0o600))
	key := filepath.Join(root, "key")
	made, err := keyfile.LoadOrMake(key)
	require.NoError(t, err)
	peer := string(peerOf(made))
	before := tree(t, root)
	for _, data := range []string{missing, empty, text} {
		for _, command := range [][]string{{"balance"}, {"history"}, {"export"}, {"verify"}, {"proofs"},
			{"grant", "-credits", "1"}, {"withdraw", "-credits", "1"}, {"line", "-credits", "1"}, {"revoke"}, {"restore"}} {
			args := append(append([]string{"ledger"}, command...), "--data", data)
			if len(command) > 1 || command[0] == "revoke" || command[0] == "restore" {
				args = append(args, "--ledger", "ledger:"+peer)
			}
			_, _, err := inos(t, args...)
			require.Error(t, err, "%v", args)
			require.Contains(t, err.Error(), data, "%v", args)
		}
	}
	for _, args := range [][]string{
		{"id", "-key", missing},
		{"owner", "-key", missing, "-node", peer, "-out", filepath.Join(root, "word")},
		{"policy", "sign", "-key", missing, "-out", filepath.Join(root, "signed"), text},
		{"policy", "show", missing}, {"policy", "check", missing},
		{"job", "-bootstrap", "/ip4/127.0.0.1/udp/1/quic-v1/p2p/" + peer, "-capsule", text, "-key", missing, "-input", text},
		{"node", "-policy", missing}, {"node", "-owner", missing}, {"node", "-capsules", missing},
	} {
		_, _, err := inos(t, args...)
		require.Error(t, err, "%v", args)
		require.Contains(t, err.Error(), missing, "%v", args)
	}
	require.Equal(t, before, tree(t, root))
}

// A reading command leaves every byte of a node's folder as it is, also one that a
// crash left with a torn end, and one that may not be written to.
func TestReadingCommandsDoNotWrite(t *testing.T) {
	data := t.TempDir()
	_, log, done, err := openLedger(data, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
	require.NoError(t, err)
	key, err := keyfile.Generate()
	require.NoError(t, err)
	require.NoError(t, l.OpenAccount(ledgerOf(key), 0, time.Now()))
	require.NoError(t, l.Grant(ledgerOf(key), 1_500_000, time.Now()))
	require.NoError(t, errors.Join(l.Close(), done()))
	path := filepath.Join(data, "ledger.log")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	read := func(want string) {
		t.Helper()
		before := tree(t, data)
		for _, command := range []string{"balance", "history", "export", "verify", "proofs"} {
			_, diag, err := inos(t, "ledger", command, "-data", data)
			require.NoError(t, err, command)
			if command != "proofs" {
				require.Contains(t, diag, want, command)
			}
		}
		require.Equal(t, before, tree(t, data))
	}
	read("")
	require.NoError(t, os.WriteFile(path, append(whole[:len(whole):len(whole)], whole[:20]...), 0o600))
	read("last 20 bytes are not whole")
	require.NoError(t, os.WriteFile(filepath.Join(data, "ledger.check0"), []byte("torn"), 0o600))
	read("ledger.check0 does not verify")

	// Readers share the folder; a node does not get it meanwhile, and says so.
	reading, err := store.OpenReading(data)
	require.NoError(t, err)
	again, err := store.OpenReading(data)
	require.NoError(t, err)
	_, err = store.OpenDir(data)
	require.ErrorIs(t, err, store.ErrLocked)
	require.NoError(t, errors.Join(reading.Close(), again.Close()))
	dir, err := store.OpenDir(data)
	require.NoError(t, err)
	require.NoError(t, dir.Close())
}
