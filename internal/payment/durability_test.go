package payment_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/payment"
	"inos/internal/testkit"
	"inos/internal/testkit/accounts"
)

// A node is out of service from a failed write until all of its books can be written, and is
// told of each change once.
func TestDurability(t *testing.T) {
	for _, name := range []string{"ledger", "keeper"} {
		synctest.Test(t, func(t *testing.T) {
			log, keep := &accounts.FullLog{}, &testkit.KVStore{}
			fail := log.Fail
			if name == "keeper" {
				fail = keep.Fail
			}
			d := payment.NewDurability()
			observed := d.Observe(keep)
			p := accounts.Open(t, accounts.Config{Key: 1, Log: log, Keep: observed})
			p.Ledger.OnFailed(d.Fail)
			told := make(chan error, 8)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				d.Run(ctx, p.Payment, time.Now, func(_ context.Context, err error) error { told <- err; return nil })
				close(done)
			}()
			full := errors.New("no space left")
			for range 2 {
				fail(full)
				_ = observed.Put("a key", nil)
				_ = observed.Delete("a key")
				_ = p.Ledger.Grant(p.Signer.Ledger(), 1, time.Now())
				synctest.Wait()
				require.ErrorIs(t, <-told, full, name)
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Empty(t, told, "%s: it still cannot be written", name)
				fail(nil)
				time.Sleep(time.Minute) // past the ledger's pause
				synctest.Wait()
				require.NoError(t, <-told, name)
				require.Empty(t, told, name)
			}
			require.Empty(t, keep.Keys("room"), "nothing is left of the trying")
			cancel()
			<-done
		})
	}
}

// Reputation is saved every minute and at the end, and the next run loads it.
func TestReputationOutlastsTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := &testkit.KVStore{}
		load := func() *credit.Reputation {
			r := credit.NewReputation(credit.ReputationConfig{})
			_, err := payment.LoadReputation(keep, r)
			require.NoError(t, err)
			return r
		}
		score := func(r *credit.Reputation) float64 {
			score, _ := r.Of(testkit.Peer(2), time.Now())
			return score
		}
		r := load()
		saved, err := payment.LoadReputation(keep, r)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			saved.Run(ctx)
			close(done)
		}()
		before := score(r)
		r.Note(testkit.Peer(2), credit.DeedDisagree, time.Now())
		require.Equal(t, before, score(load()), "not yet")
		time.Sleep(time.Minute + time.Second)
		require.Less(t, score(r), before)
		require.InDelta(t, score(r), score(load()), 0.001)
		for range 3 {
			r.Note(testkit.Peer(2), credit.DeedDisagree, time.Now())
		}
		cancel()
		<-done
		require.InDelta(t, score(r), score(load()), 0.001, "written at the end")

		require.NoError(t, keep.Put("reputation", []byte("damaged")))
		_, err = payment.LoadReputation(keep, r)
		require.Error(t, err)
		none, err := payment.LoadReputation(nil, r)
		require.NoError(t, err)
		none.Save()
	})
}
