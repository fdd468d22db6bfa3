package credit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/testkit"
)

// A ledger whose log is bounded equals one whose log is not: balances, holds, used vouchers and
// the chain. It does so after reopening too, and verifies. It reports which entries have been
// removed.
func TestALedgerWhoseLogIsBound(t *testing.T) {
	const budget = 100 << 10
	bound, all := &MemoryLog{Bound: budget}, &MemoryLog{}
	var l [2]*Ledger
	jobs := 0
	for range 4 {
		var open, settled HoldID
		for i, log := range []*MemoryLog{bound, all} {
			l[i] = openTest(t, log, func(c *Config) { c.StrangerLine = 500 })
			if jobs == 0 {
				require.NoError(t, l[i].OpenAccount(testkit.Ledger(1), 100, testNow))
				require.NoError(t, l[i].Grant(testkit.Ledger(1), 1_000_000, testNow))
			}
		}
		for range 200 {
			w, peer := testWallet(t, 1), testWallet(t, 2)
			v, _, err := w.Issue(testJob(jobs), peer.Peer(), 50, testNow.Add(time.Minute))
			require.NoError(t, err)
			for i := range l {
				id, err := l[i].Hold(v, 50, testNow)
				require.NoError(t, err)
				if jobs%200 < 199 {
					settled = id
					require.NoError(t, l[i].Settle(id, peer.Peer(), 1, testNow))
				} else {
					open = id
				}
			}
			jobs++
			require.LessOrEqual(t, bound.bytes, int64(budget))
		}
		again := openTest(t, bound)
		for _, x := range []*Ledger{l[0], again} {
			require.True(t, x.state.equal(l[1].state))
			require.True(t, l[1].state.equal(x.state))
			require.Equal(t, l[1].Balances(), x.Balances())
			require.Len(t, x.Holds(), len(l[1].Holds()))
			require.Equal(t, FateHeld, x.Fate(open))
			require.ErrorIs(t, x.Settle(settled, testWallet(t, 2).Peer(), 1, testNow), ErrHoldSettled)
		}
		require.NoError(t, l[0].Close())
		require.NoError(t, l[1].Close())
	}
	// Without its checkpoint it begins with what was kept of the entries that have gone.
	unmarked := &MemoryLog{records: bound.records, gone: bound.gone, marks: bound.marks}
	require.True(t, openTest(t, unmarked).state.equal(l[1].state))

	whole, err := Verify(all, nil)
	require.NoError(t, err)
	require.Zero(t, whole.Gone)
	var hashes [][32]byte
	_, err = Verify(all, func(e Entry) error { hashes = append(hashes, e.Hash); return nil })
	require.NoError(t, err)
	var seen []Entry
	r, err := Verify(bound, func(e Entry) error { seen = append(seen, e); return nil })
	require.NoError(t, err)
	require.Positive(t, r.Gone)
	require.Equal(t, hashes[r.Gone-1], r.Before)
	require.Equal(t, whole.Entries, r.Entries)
	require.Equal(t, whole.Head, r.Head)
	require.Equal(t, whole.Held, r.Held)
	require.Equal(t, whole.Granted, r.Granted)
	require.Equal(t, KindLetGo, seen[0].Kind)
	require.Equal(t, r.Gone, seen[0].Sequence)
	require.Equal(t, r.Before, seen[0].Hash)
	require.Len(t, seen, int(r.Entries-r.Gone)+1)

	said := fmt.Sprintf("entries 1 to %d have been let go", r.Gone)
	var out bytes.Buffer
	require.NoError(t, WriteVerify(&out, bound))
	require.Contains(t, out.String(), said)
	require.Contains(t, out.String(), hex.EncodeToString(r.Before[:]))
	require.Contains(t, out.String(), fmt.Sprintf("from entry %d on", r.Gone+1))
	for n, gone := range map[int]bool{3: false, int(r.Entries - r.Gone): false, int(r.Entries): true} {
		out.Reset()
		require.NoError(t, WriteHistory(&out, bound, "", n))
		require.Equal(t, gone, strings.Contains(out.String(), said), n)
		require.Equal(t, min(n, int(r.Entries-r.Gone)), strings.Count(out.String(), "T12:"), n)
	}
	out.Reset()
	require.NoError(t, WriteHistory(&out, bound, testkit.Ledger(9), 5))
	require.Contains(t, out.String(), said, "it might have been in those")
	out.Reset()
	require.NoError(t, Export(&out, bound))
	first, _, _ := strings.Cut(out.String(), "\n")
	var x exported
	require.NoError(t, json.Unmarshal([]byte(first), &x))
	require.Equal(t, exported{Entry: r.Gone, At: x.At, Kind: "let-go", Amount: "0", Hash: hex.EncodeToString(r.Before[:])}, x)
}

// Every bit flip in the states of removed entries is found, both where the log begins with the
// state and where the state lies between entries.
func TestEveryFlippedBitOfWhatIsKeptIsFound(t *testing.T) {
	log := &MemoryLog{Bound: 12 << 10}
	l := openTest(t, log, func(c *Config) { c.CheckpointEvery = 6 })
	require.NoError(t, l.OpenAccount(testkit.Ledger(1), 1000, testNow))
	for range 60 {
		require.NoError(t, l.Grant(testkit.Ledger(1), 1, testNow))
	}
	require.NoError(t, l.Close())
	_, err := Verify(log, nil)
	require.NoError(t, err)
	require.Positive(t, log.gone)
	state := log.marks[0].state
	for bit := range len(state) * 8 {
		state[bit/8] ^= 1 << (bit % 8)
		_, err := Verify(log, nil)
		require.ErrorIs(t, err, ErrCorrupt)
		state[bit/8] ^= 1 << (bit % 8)
	}
	// One that is whole and not what the entries add up to.
	between := betweenLog{log, log.marks[1].next, log.marks[1].state}
	_, err = Verify(between, nil)
	require.NoError(t, err)
	other, err := restore(between.state)
	require.NoError(t, err)
	other.ledger(mustOwner(t, 1)).line++
	between.state = sealed(other.save())
	_, err = Verify(between, nil)
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, fmt.Sprintf("before %d", between.next+1))
}

// betweenLog has another state in the middle, as a log of several files has.
type betweenLog struct {
	*MemoryLog
	next  uint64
	state []byte
}

func (b betweenLog) Replay(from uint64, base Base, fn func([]byte) error) error {
	at := b.gone
	return b.MemoryLog.Replay(from, base, func(r []byte) error {
		if err := fn(r); err != nil {
			return err
		}
		if at++; at == b.next {
			return base(at, func() ([]byte, error) { return b.state, nil })
		}
		return nil
	})
}

// overLog exceeds its bound.
type overLog struct {
	MemoryLog
	saves int
}

func (o *overLog) Budget() (int64, bool) { return 0, true }

func (o *overLog) SaveCheckpoint(next uint64, state []byte) error {
	o.saves++
	return o.MemoryLog.SaveCheckpoint(next, state)
}

// A log that exceeds its bound when it is opened, because the bound was lowered, gets both
// checkpoints at once.
func TestALogThatTakesTooMuchGetsItsCheckpoints(t *testing.T) {
	log := &overLog{}
	l := openTest(t, log)
	require.NoError(t, l.OpenAccount(testkit.Ledger(1), 1, testNow))
	require.Equal(t, 2, log.saves)
	require.NoError(t, l.Close())
	l = openTest(t, log)
	require.Equal(t, 4, log.saves)
	require.EqualValues(t, 1, log.next)
	require.EqualValues(t, 1, l.marked)
}
