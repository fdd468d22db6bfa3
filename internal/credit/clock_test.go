package credit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/clock/clocktest"
	"inos/internal/identity"
	"inos/internal/testkit"
)

var wrongClocks = []time.Duration{20 * time.Second, -20 * time.Second, 100 * time.Second, -100 * time.Second, time.Hour, -time.Hour,
	48 * time.Hour, -48 * time.Hour, 74 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour}

// ownNode returns the peer whose ledger w signs for.
func ownNode(w *Signer) identity.PeerID { return w.Peer() }

// The clock of the payer or the worker is wrong. The vouchers of the payer's own node are valid
// exactly as long as they say.
func TestVouchersByTheirOwnersClock(t *testing.T) {
	for _, off := range wrongClocks {
		t.Run(off.String(), func(t *testing.T) {
			payer, worker := testWallet(t, 1), testWallet(t, 2)
			theirs, ours := clocktest.New(off), clocktest.New(0)
			l := openTest(t, &MemoryLog{}, func(c *Config) { c.StrangerLine = 1 << 40 })
			by := Bearer{Peer: ownNode(payer), Ahead: off}
			bring := func(job int, life, age time.Duration, by Bearer) (HoldID, error) {
				_, raw, err := payer.Issue(testJob(job), worker.Peer(), 10, theirs.Now().Add(life-age).Round(0))
				require.NoError(t, err)
				now := ours.Now()
				_, err = l.Authorize(payer.Ledger(), testJob(job), raw, by.Peer, worker.Peer(), "", 10, 10, by.Ahead, now)
				id, held := l.HoldVoucher(raw, testJob(job), worker.Peer(), 10, by, now)
				require.Equal(t, err == nil, held == nil)
				return id, held
			}
			id, err := bring(1, time.Minute, 50*time.Second, by)
			require.NoError(t, err)
			h, ok := l.HoldOf(id)
			require.True(t, ok)
			left := time.Until(h.Expires) // by the monotonic clock
			require.Positive(t, left)
			require.LessOrEqual(t, left, time.Minute)
			_, err = bring(2, time.Minute, 70*time.Second, by)
			require.ErrorIs(t, err, ErrVoucherExpired)
			if off.Abs() > time.Minute {
				require.ErrorContains(t, err, "this node's")
			}
			// A lifetime is one whatever the clocks say.
			_, err = bring(3, 25*time.Hour, 0, by)
			require.ErrorIs(t, err, ErrVoucherMalformed)

			// What another one brings is told by this node's clock: it knows no better.
			_, err = bring(4, time.Minute, 0, Bearer{Peer: testkit.Peer(9), Ahead: off})
			switch {
			case off < -time.Minute:
				require.ErrorIs(t, err, ErrVoucherExpired)
			case off > 25*time.Hour:
				require.ErrorIs(t, err, ErrVoucherMalformed)
			default:
				require.NoError(t, err)
			}

			// This node's clock is set, to anything: holds run on, and the next voucher is good.
			for _, jump := range wrongClocks {
				ours.Set(jump)
				gone, err := l.Expire(ours.Now())
				require.NoError(t, err)
				require.Empty(t, gone, jump)
				by.Ahead = off - jump
				_, err = bring(10+int(jump/time.Second)%1000, time.Minute, 50*time.Second, by)
				require.NoError(t, err, jump)
				v, _, err := testWallet(t, 2).Issue(testJob(1), testkit.Peer(3), 10, ours.Now().Add(time.Minute))
				require.NoError(t, err)
				require.NoError(t, l.OpenAccount(v.LedgerID, 1<<40, ours.Now()))
				own, err := l.Hold(v, 10, ours.Now())
				require.NoError(t, err, jump)
				require.NoError(t, l.Refund(own, ours.Now()))
			}
			gone, err := l.Expire(ours.Now().Add(3 * time.Minute))
			require.NoError(t, err)
			require.NotEmpty(t, gone)
			require.Zero(t, l.Sum())
		})
	}
}

// A clock was a day or decades ahead and is right after a restart. No voucher from its owner's
// node is refused for that, no hold lasts until then, and unproven accounts are closed on time.
func TestClockPutRight(t *testing.T) {
	for _, off := range []time.Duration{time.Hour, 24 * time.Hour, 74 * 365 * 24 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			payer, worker := testWallet(t, 1), testWallet(t, 2)
			wall := clocktest.New(off)
			log := &MemoryLog{}
			open := func() *Ledger {
				return openTest(t, log, func(c *Config) { c.StrangerLine, c.CheckpointEvery = 1<<40, 5 })
			}
			l := open()
			job := 0
			// The payer is on the same machine.
			bring := func(later time.Duration) (HoldID, []byte) {
				job++
				now := wall.Now().Add(later)
				_, raw, err := payer.Issue(testJob(job), worker.Peer(), 10, now.Add(time.Minute).Round(0))
				require.NoError(t, err)
				id, err := l.HoldVoucher(raw, testJob(job), worker.Peer(), 10, Bearer{Peer: ownNode(payer)}, now)
				require.NoError(t, err)
				return id, raw
			}
			var used [][]byte
			for range 9 {
				id, raw := bring(0)
				require.NoError(t, l.Settle(id, worker.Peer(), 1, wall.Now()))
				used = append(used, raw)
			}
			for range 9 { // they are forgotten
				id, _ := bring(5 * time.Minute)
				require.NoError(t, l.Settle(id, worker.Peer(), 1, wall.Now().Add(5*time.Minute)))
			}
			held, _ := bring(5 * time.Minute)
			require.NoError(t, l.Close())

			wall.Set(0)
			l = open()
			require.Len(t, l.Holds(), 1)
			for range 9 {
				id, _ := bring(5*time.Minute + time.Second)
				require.NoError(t, l.Settle(id, worker.Peer(), 1, wall.Now().Add(5*time.Minute+time.Second)))
			}
			// What another one brings that was used then is not good again.
			for i, raw := range used {
				_, err := l.HoldVoucher(raw, testJob(i+1), worker.Peer(), 10, Bearer{}, wall.Now().Add(6*time.Minute))
				require.Error(t, err)
			}
			gone, err := l.Expire(wall.Now().Add(6 * time.Minute))
			require.NoError(t, err)
			require.Empty(t, gone)
			gone, err = l.Expire(wall.Now().Add(8 * time.Minute))
			require.NoError(t, err)
			require.Equal(t, []HoldID{held}, gone, "a minute and the grace after it was made")
			require.NoError(t, l.Close())
			_, err = Verify(log, nil)
			require.NoError(t, err)
			require.Zero(t, open().Sum())
		})
	}
}

// A refused entry changes nothing, even as the first one after the clock was set back.
func TestRefusedAfterFallback(t *testing.T) {
	log := &MemoryLog{}
	l := openTest(t, log)
	w := testWallet(t, 1)
	day := testNow.Add(24 * time.Hour)
	require.NoError(t, l.OpenAccount(w.Ledger(), 100, day))
	v, _, err := w.Issue(testJob(1), testkit.Peer(2), 10, day.Add(time.Minute))
	require.NoError(t, err)
	id, err := l.Hold(v, 10, day)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	l = openTest(t, log)
	before, _ := l.HoldOf(id)
	require.ErrorIs(t, l.Settle(id, testkit.Peer(3), 1, testNow), ErrVoucherWrongPayee)
	after, _ := l.HoldOf(id)
	require.WithinDuration(t, before.Expires, after.Expires, 0)
	// One that waits for nothing but its time ends when that has passed by the new clock.
	gone, err := l.Expire(testNow.Add(time.Minute))
	require.NoError(t, err)
	require.Empty(t, gone)
	gone, err = l.Expire(testNow.Add(2 * time.Minute))
	require.NoError(t, err)
	require.Equal(t, []HoldID{id}, gone)
	_, err = Verify(log, nil)
	require.NoError(t, err)
}
