package credit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/testkit"
)

// busyLog builds a log with every kind of entry and a checkpoint in the middle.
func busyLog(t testing.TB) *MemoryLog {
	t.Helper()
	log := &MemoryLog{}
	l := openTest(t, log, func(c *Config) { c.CheckpointEvery = 6; c.StrangerLine = 500 })
	w, peer := testWallet(t, 1), testWallet(t, 2)
	require.NoError(t, l.OpenAccount(w.Ledger(), 100, testNow))
	require.NoError(t, l.Grant(w.Ledger(), 1_000, testNow))
	require.NoError(t, l.Withdraw(w.Ledger(), 1, testNow))
	for i := range 3 {
		v, _, err := w.Issue(testJob(i), peer.Peer(), 50, testNow.Add(time.Minute))
		require.NoError(t, err)
		id, err := l.Hold(v, 50, testNow)
		require.NoError(t, err)
		switch i {
		case 0:
			require.NoError(t, l.Settle(id, peer.Peer(), 20, testNow))
		case 1:
			require.NoError(t, l.Refund(id, testNow))
		}
	}
	_, err := l.Expire(testNow.Add(time.Hour))
	require.NoError(t, err)
	require.NoError(t, l.Revoke(w.Ledger(), testNow))
	_, err = l.Draw(w, peer.Peer(), testNow)
	require.NoError(t, err)
	_, raw, err := peer.Issue(testJob(9), w.Peer(), 10, testNow.Add(2*time.Hour))
	require.NoError(t, err)
	id, err := l.HoldVoucher(raw, testJob(9), w.Peer(), 10, Bearer{}, testNow)
	require.NoError(t, err)
	require.NoError(t, l.Settle(id, w.Peer(), 10, testNow))
	cheque, err := plainCodec{}.SealCheque(Cheque{Drawer: peer.Peer(), Payee: w.Peer(), Sequence: 3, Paid: 10}, testkit.Key(2))
	require.NoError(t, err)
	_, err = l.Take(cheque, w.Peer(), testNow)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return log
}

// Every bit flip in every record and in the checkpoint is found and reported with its entry.
func TestEveryFlippedBitIsFound(t *testing.T) {
	log := busyLog(t)
	report, err := Verify(log, nil)
	require.NoError(t, err)
	require.EqualValues(t, len(log.records), report.Entries)
	require.NotZero(t, report.Checkpoint)
	for i, r := range log.records {
		for bit := range len(r) * 8 {
			r[bit/8] ^= 1 << (bit % 8)
			_, err := Verify(log, nil)
			r[bit/8] ^= 1 << (bit % 8)
			require.ErrorIs(t, err, ErrCorrupt)
			require.ErrorContains(t, err, fmt.Sprintf("entry %d", i+1))
		}
	}
	for bit := range len(log.state) * 8 {
		log.state[bit/8] ^= 1 << (bit % 8)
		_, err := OpenLedger(Config{Log: log, Codec: plainCodec{}})
		require.ErrorIs(t, err, ErrCorrupt)
		_, err = Verify(log, nil)
		require.ErrorIs(t, err, ErrCorrupt)
		log.state[bit/8] ^= 1 << (bit % 8)
	}
	// An entry taken out, put twice, or swapped does not follow.
	for _, records := range [][][]byte{
		append(append([][]byte{}, log.records[:3]...), log.records[4:]...),
		append(append([][]byte{}, log.records[:3]...), log.records[2:]...),
		append(append([][]byte{}, log.records[1], log.records[0]), log.records[2:]...),
	} {
		_, err := Verify(&MemoryLog{records: records}, nil)
		require.ErrorIs(t, err, ErrCorrupt)
	}
	// A log cut short of its checkpoint is not silently shorter.
	_, err = Verify(&MemoryLog{records: log.records[:2], next: log.next, state: log.state}, nil)
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestCommandsPrint(t *testing.T) {
	log := busyLog(t)
	var out bytes.Buffer
	l := openTest(t, log)
	require.NoError(t, WriteBalances(&out, l))
	require.Contains(t, out.String(), "revoked")
	out.Reset()
	require.NoError(t, WriteHistory(&out, log, "", 3))
	require.Equal(t, 4, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "cheque-in")
	out.Reset()
	require.NoError(t, WriteHistory(&out, log, testkit.Ledger(2), 100))
	require.NotContains(t, out.String(), string(testkit.Ledger(1)))
	require.Error(t, WriteHistory(&out, log, "", 0))
	out.Reset()
	require.NoError(t, Export(&out, log))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, len(log.records))
	for i, line := range lines {
		var x exported
		require.NoError(t, json.Unmarshal([]byte(line), &x))
		require.EqualValues(t, i+1, x.Entry)
	}
	out.Reset()
	require.NoError(t, WriteVerify(&out, log))
	require.Contains(t, out.String(), "ok: ")
	log.records[4][20] ^= 1
	require.ErrorContains(t, WriteVerify(&out, log), "entry 5")
}

func TestParseCredits(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "1": 1_000_000, "1.5": 1_500_000, "0.000001": 1, "12.340000": 12_340_000} {
		got, err := ParseCredits(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"", "-1", ".5", "1.", "1.0000001", "1e3", "1_000", "+1", " 1", "99999999999999999999", "1152921504607"} {
		_, err := ParseCredits(bad)
		require.ErrorIs(t, err, ErrAmount, bad)
	}
}

func TestFormatCredits(t *testing.T) {
	for micro, want := range map[int64]string{0: "0", 1: "0.000001", 1_500_000: "1.5", -2_000_000: "-2", -1: "-0.000001",
		-1 << 63: "-9223372036854.775808"} {
		require.Equal(t, want, FormatCredits(micro))
	}
}

// 50 goroutines use the same vouchers, holds and receipts: each pays once.
func TestConcurrentDuplicates(t *testing.T) {
	l := openTest(t, &MemoryLog{}, func(c *Config) { c.StrangerLine = 1 << 40; c.CheckpointEvery = 10 })
	w, peer := testWallet(t, 1), testWallet(t, 2)
	const jobs = 100
	var raws [jobs][]byte
	for i := range raws {
		var err error
		_, raws[i], err = w.Issue(testJob(i), peer.Peer(), 10, testNow.Add(time.Minute))
		require.NoError(t, err)
	}
	var held, settled, refunded atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for i, raw := range raws {
				id := HoldID{w.Ledger(), mustOpen(t, raw).Nonce}
				if _, err := l.HoldVoucher(raw, testJob(i), peer.Peer(), 10, Bearer{}, testNow); err == nil {
					held.Add(1)
				} else if !errors.Is(err, ErrVoucherReplayed) {
					t.Error(err)
				}
				if err := l.Settle(id, peer.Peer(), 3, testNow); err == nil {
					settled.Add(1)
				}
				if err := l.Refund(id, testNow); err == nil {
					refunded.Add(1)
				}
				_, _ = l.Authorize(w.Ledger(), testJob(i), raw, "", "", "", 0, 10, 0, testNow)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, jobs, held.Load())
	require.EqualValues(t, jobs, settled.Load()+refunded.Load())
	require.EqualValues(t, 3*settled.Load(), l.Earned(peer.Peer()))
	require.Zero(t, l.Sum())
}

func mustOpen(t *testing.T, raw []byte) Voucher {
	v, _, err := plainCodec{}.OpenVoucher(raw)
	require.NoError(t, err)
	return v
}

func TestBoundsAreKept(t *testing.T) {
	l := openTest(t, &MemoryLog{}, func(c *Config) { c.StrangerLine = 10; c.MaxStrangers = 1; c.MaxHolds = 2 })
	var raws [3][]byte
	for i := range raws {
		var err error
		_, raws[i], err = testWallet(t, byte(i+1)).Issue(testJob(1), "", 5, testNow.Add(time.Minute))
		require.NoError(t, err)
	}
	_, err := l.HoldVoucher(raws[0], testJob(1), testkit.Peer(9), 5, Bearer{}, testNow)
	require.NoError(t, err)
	_, err = l.HoldVoucher(raws[1], testJob(1), testkit.Peer(9), 5, Bearer{}, testNow)
	require.ErrorIs(t, err, ErrLedgerExhausted, "one stranger only")
	_, err = l.Authorize(testkit.Ledger(2), testJob(1), raws[1], "", "", "", 0, 10, 0, testNow)
	require.ErrorIs(t, err, ErrLedgerExhausted)
	for i := range 2 {
		_, err = l.Hold(Voucher{LedgerID: testkit.Ledger(1), JobID: testJob(1), MaxAmount: 1, Nonce: Nonce{byte(i + 50)},
			Expires: testNow.Add(time.Minute)}, 1, testNow)
		if i == 0 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrBusy)
			require.True(t, ErrBusy.Retryable())
		}
	}
	// Once the first owes nothing it makes room, and its voucher stays spent.
	l = openTest(t, &MemoryLog{}, func(c *Config) { c.StrangerLine = 10; c.MaxStrangers = 1 })
	id, err := l.HoldVoucher(raws[0], testJob(1), testkit.Peer(9), 5, Bearer{}, testNow)
	require.NoError(t, err)
	require.NoError(t, l.Refund(id, testNow))
	_, err = l.Authorize(testkit.Ledger(2), testJob(1), raws[1], "", "", "", 0, 10, 0, testNow)
	require.NoError(t, err)
	_, err = l.HoldVoucher(raws[1], testJob(1), testkit.Peer(9), 5, Bearer{}, testNow)
	require.NoError(t, err)
	_, known := l.Balance(testkit.Ledger(1))
	require.False(t, known)
	require.NoError(t, l.OpenAccount(testkit.Ledger(1), 10, testNow))
	_, err = l.HoldVoucher(raws[0], testJob(1), testkit.Peer(9), 5, Bearer{}, testNow)
	require.ErrorIs(t, err, ErrVoucherReplayed)
	require.Zero(t, l.Sum())

	c := &voucherCache{}
	c.init()
	for i := range 3 * voucherGeneration {
		c.keep(fmt.Sprint(i), &openVoucher{})
	}
	require.LessOrEqual(t, len(c.young)+len(c.old), 2*voucherGeneration)
	for _, bad := range []Config{{}, {Log: &MemoryLog{}}, {Log: &MemoryLog{}, Codec: plainCodec{}, MaxHolds: -1}} {
		_, err := OpenLedger(bad)
		require.ErrorIs(t, err, ErrConfig)
	}
}

func FuzzReplay(f *testing.F) {
	log := busyLog(f)
	f.Add(bytes.Join(log.records, nil), log.state, uint8(len(log.records)))
	f.Fuzz(func(t *testing.T, records, state []byte, marked uint8) {
		log := &MemoryLog{state: state, next: uint64(marked)}
		for len(records) > 0 {
			n := min(entrySize, len(records))
			log.records, records = append(log.records, records[:n]), records[n:]
		}
		if len(state) == 0 {
			log.state, log.next = nil, 0
		}
		l, err := OpenLedger(Config{Log: log, Codec: plainCodec{}})
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.Zero(t, l.Sum())
	})
}

// FuzzApply gives the state chained entries that this program would never write. It refuses them
// whole or keeps the sum.
func FuzzApply(f *testing.F) {
	f.Add(uint8(5), uint8(0), uint64(10), uint64(0), int64(1<<62), uint8(1), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, kind, flags uint8, amount, cost uint64, expires int64, nonce, ledger, peer uint8) {
		s := newState()
		for i := range uint64(4) {
			e := entry{kind: Kind(kind), flags: flags, amount: amount, cost: cost, expires: expires, nonce: Nonce{nonce},
				ledger: key{ledger}, peer: key{peer}, at: 5}
			switch i {
			case 0:
				e = entry{kind: KindAccount, amount: 1000, ledger: key{1}, at: 5}
			case 1:
				e = entry{kind: KindHold, amount: 10, expires: 50, nonce: Nonce{1}, ledger: key{1}, peer: key{1}, at: 5}
			}
			e.seq = s.seq + 1
			before := s.seq
			if err := s.apply(&e); err != nil && s.seq != before {
				t.Fatal("a refused entry counts")
			}
			require.Zero(t, s.sum())
			for id, a := range s.accounts {
				require.GreaterOrEqual(t, a.balance, a.floor(id.class), "%v", id)
			}
		}
	})
}

func FuzzParseJob(f *testing.F) {
	f.Add(testJob(1))
	f.Add("00000000-0000-0000-0000-00000000-000")
	f.Fuzz(func(t *testing.T, s string) {
		if k, ok := parseJob(s); ok && k != (jobKey{}) {
			require.Equal(t, strings.ToLower(s), k.String())
		}
	})
}
