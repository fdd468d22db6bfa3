package credit

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/testkit"
)

// Funds are reserved, held, settled, refunded and released in random order. Holds and
// reservations never exceed what the ledger has. A refusal is temporary exactly when the sum is
// covered without them. In the end everything has been released.
func TestReservationsNeverPassTheBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const line = 1000
		l, err := OpenLedger(Config{Log: &MemoryLog{}, Codec: plainCodec{}})
		require.NoError(t, err)
		require.NoError(t, l.OpenAccount(testkit.Ledger(1), line, testNow))
		freed := 0
		l.OnFreed(func() { freed++ })
		k, err := l.key(testkit.Ledger(1))
		require.NoError(t, err)
		var aside []*Reservation
		type one struct {
			id     HoldID
			amount uint64
		}
		var holds []one
		var spent uint64
		jobs := 0
		refused := false
		check := func() {
			var sum uint64
			for _, r := range aside {
				sum += r.Amount()
			}
			var held uint64
			for _, h := range holds {
				held += h.amount
			}
			l.mu.Lock()
			available, used := l.spendable(k, l.state.ledger(k))
			l.mu.Unlock()
			require.EqualValues(t, line, available+used+spent)
			require.Equal(t, sum+held, used)
		}
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) {
				amount := rapid.Uint64Range(1, 1500).Draw(t, "amount")
				least := rapid.Uint64Range(1, amount).Draw(t, "least")
				all := line - spent
				r, err := l.Reserve(testkit.Ledger(1), amount, least)
				if err == nil {
					require.LessOrEqual(t, r.Amount(), amount)
					require.True(t, r.Amount() == amount || r.Amount() == all && all >= least)
					aside = append(aside, r)
					return
				}
				refused = true
				var lack *Shortage
				require.ErrorAs(t, err, &lack)
				require.Equal(t, all >= least, lack.Temporary())
				require.ErrorIs(t, err, ErrLedgerExhausted)
				require.Equal(t, lack.Temporary(), lack.Fault().Retryable())
			},
			"hold": func(t *rapid.T) {
				if len(aside) == 0 {
					t.Skip()
				}
				r := aside[0]
				if part := rapid.Uint64Range(0, r.Amount()-1).Draw(t, "split"); part > 0 {
					aside = append(aside, r.Split(part))
				}
				aside = aside[1:]
				jobs++
				v := Voucher{LedgerID: testkit.Ledger(1), JobID: testJob(jobs), MaxAmount: r.Amount(), Expires: testNow.Add(time.Minute)}
				binary.BigEndian.PutUint64(v.Nonce[:], uint64(jobs))
				amount := rapid.Uint64Range(1, r.Amount()).Draw(t, "held")
				before := freed
				id, err := r.Hold(v, amount, testNow)
				require.NoError(t, err)
				if refused && amount < r.Amount() {
					require.Equal(t, before+1, freed, "the rest is free")
					refused = false
				}
				holds = append(holds, one{id, amount})
				_, err = r.Hold(v, 1, testNow)
				require.Error(t, err, "once")
				r.Release()
			},
			"settle": func(t *rapid.T) {
				if len(holds) == 0 {
					t.Skip()
				}
				h := holds[0]
				holds = holds[1:]
				before := freed
				cost := rapid.Uint64Range(0, h.amount).Draw(t, "cost")
				require.NoError(t, l.Settle(h.id, testkit.Peer(2), cost, testNow))
				spent += cost
				if refused {
					require.Equal(t, before+1, freed, "whoever waits is told")
				}
				refused = false
			},
			"release": func(t *rapid.T) {
				if len(aside) == 0 {
					t.Skip()
				}
				before := freed
				aside[0].Release()
				aside[0].Release()
				aside = aside[1:]
				if refused {
					require.Equal(t, before+1, freed)
				}
				refused = false
			},
			"": func(*rapid.T) { check() },
		})
		for _, r := range aside {
			r.Release()
		}
		for _, h := range holds {
			require.NoError(t, l.Refund(h.id, testNow))
		}
		b, _ := l.Balance(testkit.Ledger(1))
		require.Zero(t, b.Held)
		require.EqualValues(t, -int64(spent), b.Balance)
		require.Empty(t, l.reserved)
		require.Zero(t, l.Sum())
	})
}

// A caller that waits for funds is told of every settlement that may help, however many settle
// and wait at once: none tries without news, and none is left waiting.
func TestNobodyWaitsForFundsInVain(t *testing.T) {
	l, err := OpenLedger(Config{Log: &MemoryLog{}, Codec: plainCodec{}})
	require.NoError(t, err)
	require.NoError(t, l.OpenAccount(testkit.Ledger(1), 100, testNow))
	var mu sync.Mutex
	news := sync.NewCond(&mu)
	told := 0
	l.OnFreed(func() { mu.Lock(); told++; news.Broadcast(); mu.Unlock() })
	var serial atomic.Int64
	var done sync.WaitGroup
	for range 50 {
		done.Go(func() {
			for range 20 {
				var r *Reservation
				for {
					mu.Lock()
					seen := told
					mu.Unlock()
					var err error
					if r, err = l.Reserve(testkit.Ledger(1), 60, 60); err == nil {
						break
					}
					require.ErrorIs(t, err, ErrFundsHeld)
					mu.Lock()
					for told == seen {
						news.Wait()
					}
					mu.Unlock()
				}
				n := serial.Add(1)
				v := Voucher{LedgerID: testkit.Ledger(1), JobID: testJob(int(n)), MaxAmount: 60, Expires: testNow.Add(time.Minute)}
				binary.BigEndian.PutUint64(v.Nonce[:], uint64(n))
				id, err := r.Hold(v, 60, testNow)
				require.NoError(t, err)
				require.NoError(t, l.Settle(id, testkit.Peer(2), 0, testNow))
			}
		})
	}
	done.Wait()
}
