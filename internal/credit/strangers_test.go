package credit

import (
	"crypto/ed25519"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

var nonces atomic.Int64

// spends has a fresh ledger, or the same for the same name, pay amount here; it reports
// whether that was held, and settled.
func spends(t *testing.T, l *Ledger, name string, amount uint64, now time.Time) bool {
	t.Helper()
	key := ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("%-32.32s", name)))
	ledger := identity.LedgerIDOf(key.Public().(ed25519.PublicKey))
	if err := l.Welcome(ledger, now); err != nil {
		require.ErrorIs(t, err, ErrLedgerExhausted)
		return false
	}
	v := Voucher{LedgerID: ledger, JobID: testJob(int(nonces.Add(1))), MaxAmount: amount, Expires: now.Add(time.Minute)}
	v.Nonce[0], v.Nonce[1], v.Nonce[2] = byte(nonces.Load()), byte(nonces.Load()>>8), byte(nonces.Load()>>16)
	hold, err := l.Hold(v, amount, now)
	if err != nil {
		require.ErrorIs(t, err, ErrLedgerExhausted)
		return false
	}
	require.NoError(t, l.Settle(hold, identity.PeerIDOf(key.Public().(ed25519.PublicKey)), amount, now))
	return true
}

// However many keys somebody makes, all together owe no more than the line of all strangers;
// whoever pays from a balance, or has a line of its own, is not concerned.
func TestStrangersTogetherHaveALine(t *testing.T) {
	const line, total = 1_000, 8_000
	log := &MemoryLog{}
	bounded := func(c *Config) { c.StrangerLine, c.StrangersLine = line, total }
	l := openTest(t, log, bounded)
	now := time.Unix(1_800_000_000, 0)
	taken := uint64(0)
	for i := range 500 {
		for spends(t, l, fmt.Sprint("key", i), 100, now) {
			taken += 100
		}
	}
	require.EqualValues(t, total, taken)
	require.False(t, spends(t, l, "another", 1, now))

	friend := ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("%-32.32s", "friend")))
	require.NoError(t, l.OpenAccount(identity.LedgerIDOf(friend.Public().(ed25519.PublicKey)), line, now))
	require.True(t, spends(t, l, "friend", 500, now), "has a line of its own")

	earner := ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("%-32.32s", "another")))
	require.NoError(t, l.Grant(identity.LedgerIDOf(earner.Public().(ed25519.PublicKey)), 300, now))
	require.True(t, spends(t, l, "another", 300, now), "pays from a balance")
	require.False(t, spends(t, l, "another", 1, now))

	// It holds after a restart, and until what is owed is written off.
	require.NoError(t, l.Close())
	l = openTest(t, log, bounded)
	require.False(t, spends(t, l, "key1", 1, now))
}
