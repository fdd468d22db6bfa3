//go:build !js

package payment_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/store"
	"inos/internal/testkit"
	"inos/internal/testkit/accounts"
	"inos/internal/wire"
	"inos/test/crash"
)

// crashDir is the environment variable that makes the test binary the worker to be killed.
const crashDir = "INOS_PAYMENT_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, workUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// diskParty is a worker whose ledger and proofs are on disk.
type diskParty struct {
	*accounts.Party
	log   *store.Log
	close func() error
}

func openBooks(dir string) (*diskParty, error) {
	d, err := store.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	b := &diskParty{close: d.Close}
	if b.log, _, err = store.OpenLog(d, "ledger"); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.close = func() error { return errors.Join(b.log.Close(), d.Close()) }
	kv, err := store.OpenKV(d, "node")
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.close = func() error { return errors.Join(kv.Close(), b.log.Close(), d.Close()) }
	b.Party, err = accounts.Make(accounts.Config{Key: 2, Line: 1 << 40, Log: b.log, Keep: kv, CheckpointEvery: 300})
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// workUntilKilled does paid jobs for one payer from 50 goroutines. It prints the vouchers whose
// receipts may have been sent, one nonce a line.
func workUntilKilled(dir string) error {
	b, err := openBooks(dir)
	if err != nil {
		return err
	}
	payer, err := credit.NewSigner(credit.SignerConfig{Key: testkit.Key(1), Codec: wire.Credit{}})
	if err != nil {
		return err
	}
	return crash.Acknowledge(func() (credit.Nonce, error) { return doJob(b.Party, payer) })
}

// The worker is killed with SIGKILL at a random acknowledgement, repeatedly on the same store.
// After each kill it has, for everything that it was paid on its books, the payer's promise and
// its own bill, and its books contain nothing without such a proof.
func TestKillNineWhileCollecting(t *testing.T) {
	const rounds = 40
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	payer, err := credit.NewSigner(credit.SignerConfig{Key: testkit.Key(1), Codec: wire.Credit{}})
	require.NoError(t, err)
	var dir string
	total, made := 0, 0
	for round := range rounds {
		if round%10 == 0 { // stores that stay far below what is kept
			dir = filepath.Join(t.TempDir(), fmt.Sprint("worker", round))
		}
		acked := crash.Kill(t, 1+rnd.IntN(100), crashDir+"="+dir)
		b, err := openBooks(dir)
		require.NoError(t, err, "round %d", round)
		for _, n := range acked {
			id := credit.HoldID{Ledger: payer.Ledger(), Nonce: n}
			require.Equal(t, credit.FateSettled, b.Ledger.Fate(id), "round %d", round)
		}
		// Each settlement on the books, acknowledged or not, has its receipt, which says
		// the same, and its voucher.
		settled, owed := 0, uint64(0)
		_, err = credit.Verify(b.log, func(e credit.Entry) error {
			if e.Kind != credit.KindSettle {
				return nil
			}
			settled++
			owed += e.Cost
			receipt, err := b.Payment.Answer(credit.HoldID{Ledger: e.Ledger, Nonce: e.Nonce})
			if err != nil {
				return err
			}
			r, signer, err := wire.Credit{}.OpenReceipt(receipt)
			if err == nil && (signer != b.Signer.Peer() || r.Cost != e.Cost || r.JobID != e.JobID || r.VoucherNonce != e.Nonce) {
				err = fmt.Errorf("receipt %+v for entry %+v", r, e)
			}
			return err
		})
		require.NoError(t, err, "round %d", round)
		proofs := b.Payment.Proofs()
		require.Len(t, proofs, settled, "what was never settled proves nothing")
		for _, p := range proofs {
			v, signer, err := wire.Credit{}.OpenVoucher(p.Voucher)
			require.NoError(t, err)
			require.Equal(t, payer.Peer(), signer)
			require.Equal(t, p.Hold.Nonce, v.Nonce)
		}
		standing, err := b.Ledger.Standing(payer.Peer())
		require.NoError(t, err)
		require.Equal(t, owed, standing.Owes)
		require.NoError(t, errors.Join(b.Ledger.Close(), b.close()))
		total += len(acked)
		made = settled
	}
	t.Logf("%d receipts acknowledged over %d kills, %d in the last store", total, rounds, made)
}
