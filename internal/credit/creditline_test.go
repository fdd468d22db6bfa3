package credit

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/testkit"
)

var nonces atomic.Int64

// spends has a ledger pay amount here: a fresh one for a new name, otherwise the name's. It
// reports whether amount was held and settled.
func spends(t *testing.T, l *Ledger, name string, amount uint64, now time.Time) bool {
	t.Helper()
	return spendsFrom(t, l, "", name, amount, now)
}

// spendsFrom is spends from a given network.
func spendsFrom(t *testing.T, l *Ledger, origin, name string, amount uint64, now time.Time) bool {
	t.Helper()
	return holds(t, l, origin, name, amount, amount, now)
}

// holds reports whether amount is held for a job of the ledger, which then costs cost.
func holds(t *testing.T, l *Ledger, origin, name string, amount, cost uint64, now time.Time) bool {
	t.Helper()
	ledger := testkit.NamedLedger(name)
	if err := l.Welcome(ledger, origin, now); err != nil {
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
	require.NoError(t, l.Settle(hold, testkit.NamedPeer(name), cost, now))
	return true
}

// All unproven accounts together owe no more than their shared line, however many keys there
// are. An account that pays from a balance, or has a line of its own, is not limited by it.
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
	require.LessOrEqual(t, taken, uint64(total))
	require.Greater(t, taken, uint64(total-300), "each of them is on a network of its own")
	require.False(t, spends(t, l, "another", 200, now))

	require.NoError(t, l.OpenAccount(testkit.NamedLedger("friend"), line, now))
	require.True(t, spends(t, l, "friend", 500, now), "has a line of its own")

	require.NoError(t, l.Grant(testkit.NamedLedger("another"), 300, now))
	require.True(t, spends(t, l, "another", 300, now), "pays from a balance")
	require.False(t, spends(t, l, "another", 200, now))

	// It holds after a restart, and until what is owed is written off.
	require.NoError(t, l.Close())
	l = openTest(t, log, bounded)
	require.False(t, spends(t, l, "key1", 100, now))
}

// The unproven accounts of one network may owe as much as is left of the shared line, however
// many keys there are: the first network gets half of it, the next one half of the rest. An
// account's network survives a restart, with a checkpoint and without.
func TestStrangersOfOneNetworkShareTheLine(t *testing.T) {
	const line, total = 1_000, 8_000
	for name, every := range map[string]int{"log": 1 << 20, "checkpoint": 1} {
		t.Run(name, func(t *testing.T) {
			log := &MemoryLog{}
			config := func(c *Config) { c.StrangerLine, c.StrangersLine, c.CheckpointEvery = line, total, every }
			l := openTest(t, log, config)
			now := time.Unix(1_800_000_000, 0)
			all := func(origin string) (taken uint64) {
				for i := range 30 {
					for spendsFrom(t, l, origin, fmt.Sprint(origin, i), 100, now) {
						taken += 100
					}
				}
				return taken
			}
			const greedy = "192.0.2.0/24"
			require.EqualValues(t, total/2, all(greedy), "of the line of all")
			require.EqualValues(t, total/4, all("198.51.100.0/24"))

			require.NoError(t, l.Close())
			l = openTest(t, log, config)
			require.Zero(t, all(greedy))
			require.False(t, spendsFrom(t, l, greedy, "another of them", 1, now))
			require.False(t, spendsFrom(t, l, "203.0.113.0/24", greedy+"1", 100, now), "it is counted where it came from first")
			require.True(t, spendsFrom(t, l, "203.0.113.0/24", "somebody", 900, now))
			_, err := Verify(log, nil)
			require.NoError(t, err)
		})
	}
}

// An unproven account of an older log, without a network, counts as a network of its own.
func TestAStrangerWithoutANetworkHasItsOwn(t *testing.T) {
	var one, two key
	one[0], two[0] = 1, 2
	require.NotEqual(t, opensOn(&entry{ledger: one}), opensOn(&entry{ledger: two}))
	require.Equal(t, opensOn(&entry{ledger: one}), networkOf("", one))
	require.Equal(t, networkOf("192.0.2.0/24", one), networkOf("192.0.2.0/24", two))
}

// Pays is true for an account that the node's owner opened, that has a balance here, or that has
// set off at least what it owes. A line that everybody gets is not enough.
func TestWhoPays(t *testing.T) {
	a, b := newNode(t, 1, 100_000), newNode(t, 2, 100_000)
	pays := func() bool { return b.ledger.Pays(a.wallet.Ledger()) }
	require.False(t, pays(), "nobody knows it")
	a.job(t, b, 1, 100, false)
	require.False(t, pays(), "it owes 100")

	require.NoError(t, b.ledger.Grant(a.wallet.Ledger(), 300, testNow))
	require.True(t, pays(), "it has 200")
	hold, err := b.ledger.Hold(Voucher{LedgerID: a.wallet.Ledger(), JobID: testJob(7), MaxAmount: 201, Expires: testNow.Add(time.Hour)}, 201, testNow)
	require.NoError(t, err)
	require.False(t, pays(), "not all that is held")
	require.NoError(t, b.ledger.Refund(hold, testNow))
	require.NoError(t, b.ledger.Withdraw(a.wallet.Ledger(), 200, testNow))

	a.job(t, b, 2, 1000, false)
	require.False(t, pays())
	b.job(t, a, 3, 600, false)
	cheque, err := a.ledger.Draw(a.wallet, b.wallet.Peer(), testNow)
	require.NoError(t, err)
	_, err = b.ledger.Take(cheque, b.wallet.Peer(), testNow)
	require.NoError(t, err)
	require.True(t, pays(), "600 were set off, 400 are promised")
	a.job(t, b, 4, 300, false)
	require.False(t, pays(), "more than was ever set off")

	require.NoError(t, b.ledger.OpenAccount(a.wallet.Ledger(), 100_000, testNow))
	require.True(t, pays(), "it is meant")
}

// An unproven account whose jobs cost almost nothing is never refused for its earlier holds:
// what unproven accounts owe falls as soon as a job has ended.
func TestWhatWasHeldForStrangersIsNotOwed(t *testing.T) {
	const line = 1_000
	l := openTest(t, &MemoryLog{}, func(c *Config) { c.StrangerLine, c.StrangersLine = line, 16*line })
	for range 100 {
		require.True(t, holds(t, l, "", "somebody", 900, 1, time.Unix(1_800_000_000, 0)))
	}
}
