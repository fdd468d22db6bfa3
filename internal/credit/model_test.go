package credit

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/testkit"
)

// model is a slow and simple implementation of the same economy.
type model struct {
	forgotten  int64 // the ledger's: of the vouchers that expire until then some are not known any more
	remembered bool  // the ledger's: whether the voucher in question is
	latest     int64 // of all that could ever be forgotten

	accounts map[byte]*modelAccount
	holds    map[modelID]*modelHold // ever made
	earned   map[byte]int64
	issued   int64
}

type modelAccount struct {
	balance, line, held int64
	revoked             bool
}

// modelID names a hold: two ledgers may use the same nonce.
type modelID struct {
	ledger byte
	nonce  Nonce
}

type modelHold struct {
	payee   byte // 0: any
	amount  int64
	expires time.Time
	ended   time.Time
	end     error // nil while open
}

var errAny = errors.New("any error")

func (m *model) hold(v Voucher, ledger, payee byte, amount int64, now time.Time) error {
	a := m.accounts[ledger]
	switch {
	case amount > int64(v.MaxAmount):
		return ErrVoucherTooSmall
	case v.Expires.Sub(now) > 24*time.Hour+time.Minute:
		return ErrVoucherMalformed
	case a == nil:
		return ErrLedgerUnknown
	}
	// A nonce whose voucher has expired may be used again, in another voucher.
	if h := m.holds[modelID{ledger, v.Nonce}]; h != nil && (h.end == nil || m.remembered || h.until() > m.forgotten) {
		if h.end != nil && (!v.Expires.After(now) || v.Expires.UnixNano() <= m.forgotten) {
			return errAny // replayed or, when that is forgotten, expired
		}
		return ErrVoucherReplayed
	}
	switch {
	case a.revoked:
		return ErrLedgerRevoked
	case amount == 0:
		return ErrAmount
	case !v.Expires.After(now):
		return ErrVoucherExpired
	case a.balance-amount < -a.line:
		return ErrLedgerExhausted
	}
	a.balance, a.held = a.balance-amount, a.held+amount
	m.holds[modelID{ledger, v.Nonce}] = &modelHold{payee: payee, amount: amount, expires: v.Expires}
	return nil
}

// shift adjusts the model to a clock that was set back by d.
func (m *model) shift(d int64) {
	for _, h := range m.holds {
		if h.end == nil {
			h.expires = h.expires.Add(-time.Duration(d))
		}
	}
}

// until returns the earliest time at which a used voucher may be forgotten.
func (h *modelHold) until() int64 {
	return max(h.expires.UnixNano(), h.ended.Add(remember).UnixNano())
}

func (m *model) end(n Nonce, ledger, payee byte, cost int64, settle bool, now time.Time) error {
	h := m.holds[modelID{ledger, n}]
	switch {
	case m.accounts[ledger] == nil:
		return ErrLedgerUnknown
	case h == nil:
		return ErrNoHold
	case h.end != nil:
		return h.end
	case cost > h.amount:
		return ErrOverHold
	case settle && h.payee != 0 && h.payee != payee:
		return ErrVoucherWrongPayee
	}
	a := m.accounts[ledger]
	a.held, a.balance = a.held-h.amount, a.balance+h.amount-cost
	h.end, h.ended = ErrHoldRefunded, now
	m.latest = max(m.latest, h.until())
	if settle {
		m.earned[payee] += cost
		h.end = ErrHoldSettled
	}
	return nil
}

// tearingLog fails on request, before or after storing the records.
type tearingLog struct {
	MemoryLog
	fail, keep bool
}

func (l *tearingLog) Append(records [][]byte) error {
	if !l.fail || l.keep {
		_ = l.MemoryLog.Append(records)
	}
	if l.fail {
		return errors.New("power off")
	}
	return nil
}

// Random histories of accounts, jobs, duplicates, reorderings, clocks that jump a day and
// crashes. The ledger and the model agree after every step, the sum is 0, no balance passes its
// floor, and nothing pays twice.
func TestLedgerAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := &tearingLog{}
		log.Bound = rapid.SampledFrom([]int64{0, 1 << 11, 1 << 13}).Draw(t, "bound")
		every := rapid.IntRange(1, 9).Draw(t, "checkpoint every")
		open := func() *Ledger {
			l, err := OpenLedger(Config{Log: log, Codec: plainCodec{}, CheckpointEvery: every})
			require.NoError(t, err)
			return l
		}
		l := open()
		m := &model{accounts: map[byte]*modelAccount{}, holds: map[modelID]*modelHold{}, earned: map[byte]int64{}}
		now := testNow
		amount := rapid.OneOf(rapid.Int64Range(0, 200), rapid.Just(int64(maxAmount)), rapid.Just(int64(maxAmount+1)))
		who, nonce := rapid.ByteRange(1, 4), rapid.ByteRange(1, 12)

		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, time.Hour, -time.Hour,
				24 * time.Hour, -24 * time.Hour}).Draw(t, "clock"))
			ledger, n := who.Draw(t, "ledger"), Nonce{nonce.Draw(t, "nonce")}
			id := HoldID{testkit.Ledger(ledger), n}
			a := m.accounts[ledger]
			m.remembered = l.state.spent.of[holdKey{mustOwner(t, ledger), n}.used()] != 0
			tear := rapid.IntRange(0, 9).Draw(t, "tear") == 0
			log.fail, log.keep = tear, tear && rapid.Bool().Draw(t, "keep")
			before, _ := l.Head()
			back := int64(0)
			if d := l.state.last - now.UnixNano(); d > int64(time.Second) {
				back = d
			}
			var got error
			var apply func() error // on the model
			switch rapid.SampledFrom([]string{"open", "grant", "withdraw", "revoke", "hold", "hold", "hold",
				"settle", "settle", "refund", "expire", "reopen"}).Draw(t, "op") {
			case "open":
				line := amount.Draw(t, "line")
				got = l.OpenAccount(testkit.Ledger(ledger), uint64(line), now)
				apply = func() error {
					if line > maxAmount {
						return ErrAmount
					}
					if a == nil {
						a = &modelAccount{}
						m.accounts[ledger] = a
					} else if a.balance < -line {
						return ErrLedgerExhausted
					}
					a.line = line
					return nil
				}
			case "grant":
				x := amount.Draw(t, "amount")
				got = l.Grant(testkit.Ledger(ledger), uint64(x), now)
				apply = func() error {
					if a == nil {
						return ErrLedgerUnknown
					}
					if x == 0 || x > maxAmount {
						return ErrAmount
					}
					if m.issued-x < -maxBalance {
						return ErrLedgerExhausted
					}
					if a.balance+a.held > maxBalance-x {
						return ErrAmount
					}
					a.balance, m.issued = a.balance+x, m.issued-x
					return nil
				}
			case "withdraw":
				x := amount.Draw(t, "amount")
				got = l.Withdraw(testkit.Ledger(ledger), uint64(x), now)
				apply = func() error {
					if a == nil {
						return ErrLedgerUnknown
					}
					if x == 0 || x > maxAmount {
						return ErrAmount
					}
					if a.balance-x < -a.line {
						return ErrLedgerExhausted
					}
					if m.issued > maxBalance-x {
						return ErrAmount
					}
					a.balance, m.issued = a.balance-x, m.issued+x
					return nil
				}
			case "revoke":
				on := rapid.Bool().Draw(t, "on")
				if on {
					got = l.Revoke(testkit.Ledger(ledger), now)
				} else {
					got = l.Restore(testkit.Ledger(ledger), now)
				}
				apply = func() error {
					if a == nil {
						return ErrLedgerUnknown
					}
					a.revoked = on
					return nil
				}
			case "hold":
				payee := rapid.ByteRange(0, 2).Draw(t, "payee")
				x := amount.Draw(t, "amount")
				v := Voucher{LedgerID: testkit.Ledger(ledger), JobID: testJob(int(n[0])), MaxAmount: 150,
					Expires: now.Add(rapid.SampledFrom([]time.Duration{-time.Second, 0, time.Minute, 20 * time.Hour,
						25 * time.Hour}).Draw(t, "life")), Nonce: n}
				if payee > 0 {
					v.Payee = testkit.Peer(payee)
				}
				_, got = l.Hold(v, uint64(x), now)
				apply = func() error { return m.hold(v, ledger, payee, x, now) }
			case "settle":
				payee, cost := rapid.ByteRange(1, 2).Draw(t, "payee"), amount.Draw(t, "cost")
				got = l.Settle(id, testkit.Peer(payee), uint64(cost), now)
				apply = func() error { return m.end(n, ledger, payee, cost, true, now) }
			case "refund":
				got = l.Refund(id, now)
				apply = func() error { return m.end(n, ledger, 0, 0, false, now) }
			case "expire":
				if log.fail { // several entries in one write: their order is Expire's own
					log.fail = false
				}
				most := max(back, l.back)
				gone, err := l.Expire(now)
				require.NoError(t, err)
				due := 0
				if len(gone) > 0 {
					m.shift(back)
				}
				limit := now.Add(-30 * time.Second)
				switch {
				case back > 0 && len(gone) > 0: // of which back has been taken off
					limit = limit.Add(time.Duration(most - back))
				case back > 0:
					limit = limit.Add(time.Duration(most))
				}
				for id, h := range m.holds {
					if h.end == nil && !h.expires.After(limit) {
						require.NoError(t, m.end(id.nonce, id.ledger, 0, 0, false, now))
						due++
					}
				}
				require.Len(t, gone, due)
			case "reopen":
				log.fail = false
				require.NoError(t, l.Close())
				l = open()
			}
			if errors.Is(got, ErrFailed) {
				require.ErrorIs(t, l.Grant(testkit.Ledger(1), 1, now), ErrFailed, "it is not tried at once again")
				log.fail = false
				kept := log.keep
				if rapid.Bool().Draw(t, "opened again") {
					l = open()
				} else { // it goes on by itself
					now = now.Add(longestPause)
				}
				if after, _ := l.Head(); after > before != kept {
					t.Fatalf("entry %d after %d, kept %v", after, before, kept)
				}
				got = nil
				if !kept {
					apply = nil
				}
			}
			if apply != nil {
				if got == nil {
					m.shift(back)
				}
				want := apply()
				switch {
				case want == nil:
					require.NoError(t, got)
				case want == errAny:
					require.Error(t, got)
				case errors.Is(got, ErrNoHold) && (want == ErrHoldSettled || want == ErrHoldRefunded):
					// long ago
				default:
					require.ErrorIs(t, got, want)
				}
			}
			agree(t, l, m)
			m.forgotten = l.state.spent.before
			require.LessOrEqual(t, m.forgotten, m.latest+int64(time.Second), "no voucher is refused that nobody has used")
		}
		_, err := Verify(log, nil)
		require.NoError(t, err)
	})
}

func mustOwner(t require.TestingT, n byte) key {
	k, err := peerKey(testkit.Peer(n))
	require.NoError(t, err)
	return k
}

func agree(t *rapid.T, l *Ledger, m *model) {
	require.Zero(t, l.Sum())
	l.mu.Lock()
	if l.owed.of != nil {
		require.Equal(t, l.state.strangersOwe(), l.owed, "what strangers owe is kept as it changes")
	}
	l.mu.Unlock()
	for n := byte(1); n <= 4; n++ {
		b, ok := l.Balance(testkit.Ledger(n))
		a := m.accounts[n]
		require.Equal(t, a != nil, ok)
		if ok {
			require.Equal(t, *a, modelAccount{b.Balance, int64(b.Line), int64(b.Held), b.Revoked})
			require.GreaterOrEqual(t, b.Balance, -int64(b.Line), "below the floor")
		}
		require.Equal(t, m.earned[n], l.Earned(testkit.Peer(n)))
	}
	open := 0
	for _, h := range m.holds {
		if h.end == nil {
			open++
		}
	}
	require.Len(t, l.Holds(), open)
}
