package main

import (
	"errors"
	"fmt"
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

// The commands read and change a ledger whose oldest entries have been let go, also beside
// the node that lets them go, and say what is not there.
func TestCommandsOnALogThatIsBound(t *testing.T) {
	data := t.TempDir()
	key, err := keyfile.LoadOrMake(filepath.Join(data, "key"))
	require.NoError(t, err)
	dir, log, done, err := openLedger(data, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NotNil(t, dir)
	log.Bound(64 << 10)
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}})
	require.NoError(t, err)
	require.NoError(t, l.OpenAccount(ledgerOf(key), 0, time.Now()))
	grant := func(n int) {
		for range n {
			require.NoError(t, l.Grant(ledgerOf(key), 1_000_000, time.Now()))
		}
	}
	reads := func(credits int) {
		t.Helper()
		before := tree(t, data)
		for command, want := range map[string]string{"balance": fmt.Sprintf("%s  %d ", ledgerOf(key), credits),
			"verify": "entries 1 to ", "export": `"kind":"let-go"`} {
			out, _, err := inos(t, "ledger", command, "-data", data)
			require.NoError(t, err, command)
			require.Contains(t, out, want, command)
		}
		out, _, err := inos(t, "ledger", "history", "-data", data, "-n", "5")
		require.NoError(t, err)
		require.NotContains(t, out, "let go")
		out, _, err = inos(t, "ledger", "history", "-data", data, "-n", "5000")
		require.NoError(t, err)
		require.Contains(t, out, "entries 1 to ")
		require.Equal(t, before, tree(t, data))
	}
	grant(800)
	reads(800) // beside the one that has the folder
	grant(200)
	require.NoError(t, errors.Join(l.Close(), done()))
	require.NoFileExists(t, filepath.Join(data, "ledger.log"))
	reads(1000)
	out, _, err := inos(t, "ledger", "grant", "-data", data, "-credits", "1")
	require.NoError(t, err)
	require.Contains(t, out, " 1001 ")
	reads(1001)

	// Without its checkpoints it begins with what it keeps of the entries that have gone.
	for i := range 2 {
		require.NoError(t, os.Remove(filepath.Join(data, fmt.Sprint("ledger.check", i))))
	}
	reads(1001)
	// A bit of that is missed.
	states, err := filepath.Glob(filepath.Join(data, "ledger.*.base"))
	require.NoError(t, err)
	raw, err := os.ReadFile(states[0])
	require.NoError(t, err)
	raw[len(raw)/2] ^= 1
	require.NoError(t, os.WriteFile(states[0], raw, 0o600))
	_, _, err = inos(t, "ledger", "verify", "-data", data)
	require.ErrorIs(t, err, store.ErrCorrupt)
	require.ErrorContains(t, err, filepath.Base(states[0]))
}
