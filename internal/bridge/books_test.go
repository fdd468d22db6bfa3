package bridge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/wire"
)

// A console whose allowance is used up can grant itself more, and knows each verb.
func TestConsoleChangesTheBooks(t *testing.T) {
	l, err := credit.OpenLedger(credit.Config{Log: &credit.MemoryLog{}, Codec: wire.Credit{}})
	require.NoError(t, err)
	of, now := identity.LedgerIDOf(make([]byte, 32)), time.Now()
	do := func(what string, amount uint64) credit.Balance {
		t.Helper()
		require.NoError(t, changes[what].do(l, of, amount, now))
		b, _ := l.Balance(of)
		return b
	}
	require.EqualValues(t, 5, do("line", 5).Available())
	require.EqualValues(t, 15, do("grant", 10).Available())
	require.EqualValues(t, 12, do("withdraw", 3).Available())
	require.True(t, do("revoke", 0).Revoked)
	require.False(t, do("restore", 0).Revoked)
	require.Len(t, changes, 5)
}
