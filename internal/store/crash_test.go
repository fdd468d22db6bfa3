//go:build !js

package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/store"
	"inos/test/crash"
)

// crashDir is the environment variable that makes the test binary the process to be killed.
const (
	crashDir  = "INOS_STORE_CRASH_DIR"
	crashTime = "INOS_STORE_CRASH_TIME" // Unix nanoseconds: its clock
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		n, _ := strconv.ParseInt(os.Getenv(crashTime), 10, 64)
		crashNow = time.Unix(0, n)
		fmt.Fprintln(os.Stderr, settleUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var crashNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func openLedger(dir string, every int) (*credit.Ledger, *store.Log, store.Dir, error) {
	d, err := store.OpenDir(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	log, _, err := store.OpenLog(d, "ledger")
	if err != nil {
		return nil, nil, nil, errors.Join(err, d.Close())
	}
	if strings.HasSuffix(dir, boundDir) {
		log.Bound(boundLog)
	}
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: noCodec{}, CheckpointEvery: every})
	return l, log, d, err
}

// Every other folder's log has a bound of so many bytes, so it removes entries all the time.
const (
	boundDir = "-bound"
	boundLog = 1 << 20
)

// settleUntilKilled holds and settles from 50 goroutines and prints what has been acknowledged,
// one nonce a line. It never returns normally.
func settleUntilKilled(dir string) error {
	l, _, _, err := openLedger(dir, 500)
	if err != nil {
		return err
	}
	if err := l.OpenAccount(payer, 0, crashNow); err != nil {
		return err
	}
	if err := l.Grant(payer, 1<<40, crashNow); err != nil {
		return err
	}
	return crash.Acknowledge(func() (credit.Nonce, error) {
		v := voucher(rand.Uint64())
		id, err := l.Hold(v, 10, crashNow)
		if err == nil {
			err = l.Settle(id, worker, uint64(v.Nonce[0]%11), crashNow)
		}
		return v.Nonce, err
	})
}

// The process is killed with SIGKILL at a random acknowledgement, 200 times, 40 times on the
// same store. Every other store is bounded. After each kill, everything acknowledged is there
// once, the chain verifies and the sum is 0.
func TestKillNineWhileSettling(t *testing.T) {
	const rounds = 200
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	var dir string
	total, first, gone := 0, 0, uint64(0)
	for round := range rounds {
		if round%40 == 0 { // logs of a few thousand entries, not more and more
			dir, first = filepath.Join(t.TempDir(), fmt.Sprint("ledger", round)), round
			if round%80 == 0 {
				dir += boundDir
			}
		}
		acked := crash.Kill(t, 1+rnd.IntN(150), crashDir+"="+dir, fmt.Sprintf("%s=%d", crashTime, crashNow.UnixNano()))
		l, log, d, err := openLedger(dir, 500)
		require.NoError(t, err, "round %d", round)
		require.Zero(t, l.Sum())
		for _, n := range acked {
			id := credit.HoldID{Ledger: payer, Nonce: n}
			require.ErrorIs(t, l.Settle(id, worker, 0, crashNow), credit.ErrHoldSettled, "round %d", round)
		}
		total += len(acked)
		// The log, read again from its first entry, adds up to the state of the ledger.
		var earned int64
		report, err := credit.Verify(log, func(e credit.Entry) error {
			if e.Kind == credit.KindSettle {
				earned += int64(e.Cost)
			}
			return nil
		})
		require.NoError(t, err, "round %d", round)
		if gone += report.Gone; report.Gone == 0 {
			require.Equal(t, earned, l.Earned(worker))
		}
		earned = l.Earned(worker)
		sequence, head := l.Head()
		require.Equal(t, sequence, report.Entries)
		require.Equal(t, head, report.Head)
		require.NoError(t, log.Verify())
		// What was held and not settled when the process died comes back.
		for len(l.Holds()) > 0 {
			_, err := l.Expire(crashNow.Add(2 * time.Minute))
			require.NoError(t, err)
		}
		b, ok := l.Balance(payer)
		require.True(t, ok)
		require.EqualValues(t, int64(round-first+1)<<40-earned, b.Balance)
		require.NoError(t, errors.Join(l.Close(), log.Close(), d.Close()))
		crashNow = crashNow.Add(3 * time.Minute)
	}
	require.Positive(t, gone, "entries were let go")
	t.Logf("%d acknowledged settlements over %d kills", total, rounds)
}

func voucher(n uint64) credit.Voucher {
	v := credit.Voucher{LedgerID: payer, JobID: "01935c2e-7d1a-7c3b-8f00-0123456789ab", Payee: worker,
		MaxAmount: 10, Expires: crashNow.Add(time.Minute)}
	binary.LittleEndian.PutUint64(v.Nonce[:], n)
	binary.LittleEndian.PutUint64(v.Nonce[8:], rand.Uint64())
	return v
}
