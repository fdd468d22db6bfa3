//go:build !js

package store_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"inos/internal/credit"
	"inos/internal/store"
)

// boltLog is a credit.Log on bbolt, for comparison: one transaction, and so one or two fsyncs,
// per batch.
type boltLog struct{ db *bolt.DB }

var boltRecords, boltState = []byte("records"), []byte("state")

func (b boltLog) Append(records [][]byte) error {
	return b.db.Update(func(tx *bolt.Tx) error {
		k := tx.Bucket(boltRecords)
		k.FillPercent = 1 // append only
		for _, r := range records {
			n, _ := k.NextSequence()
			if err := k.Put(binary.BigEndian.AppendUint64(nil, n), r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b boltLog) Budget() (between int64, over bool) { return 0, false }

func (b boltLog) Replay(from uint64, _ credit.Base, fn func([]byte) error) error {
	return b.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(boltRecords).Cursor()
		for k, v := c.Seek(binary.BigEndian.AppendUint64(nil, from+1)); k != nil; k, v = c.Next() {
			if err := fn(v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b boltLog) SaveCheckpoint(next uint64, state []byte) error {
	return b.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(boltState).Put([]byte("s"), binary.BigEndian.AppendUint64(append([]byte(nil), state...), next))
	})
}

func (b boltLog) LoadCheckpoint() (next uint64, state []byte, err error) {
	err = b.db.View(func(tx *bolt.Tx) error {
		if v := tx.Bucket(boltState).Get([]byte("s")); v != nil {
			n := len(v) - 8
			next, state = binary.BigEndian.Uint64(v[n:]), append([]byte(nil), v[:n]...)
		}
		return nil
	})
	return next, state, err
}

func openBolt(b *testing.B) boltLog {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "bolt"), 0o600, nil)
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close() })
	require.NoError(b, db.Update(func(tx *bolt.Tx) error {
		_, e1 := tx.CreateBucketIfNotExists(boltRecords)
		_, e2 := tx.CreateBucketIfNotExists(boltState)
		return errors.Join(e1, e2)
	}))
	return boltLog{db}
}

func openStore(b *testing.B, dir string) *store.Log {
	d, err := store.OpenDir(dir)
	require.NoError(b, err)
	log, _, err := store.OpenLog(d, "ledger")
	require.NoError(b, err)
	b.Cleanup(func() { _ = errors.Join(log.Close(), d.Close()) })
	return log
}

// BenchmarkSettle: each op is one durable settlement. The holds are made before the timer
// starts.
func BenchmarkSettle(b *testing.B) {
	for _, c := range []struct {
		name    string
		workers int
		log     func(b *testing.B) credit.Log
	}{
		{"store/workers=1", 1, func(b *testing.B) credit.Log { return openStore(b, b.TempDir()) }},
		{"store/workers=50", 50, func(b *testing.B) credit.Log { return openStore(b, b.TempDir()) }},
		{"store/workers=500", 500, func(b *testing.B) credit.Log { return openStore(b, b.TempDir()) }},
		{"bbolt/workers=1", 1, func(b *testing.B) credit.Log { return openBolt(b) }},
		{"bbolt/workers=50", 50, func(b *testing.B) credit.Log { return openBolt(b) }},
		{"bbolt/workers=500", 500, func(b *testing.B) credit.Log { return openBolt(b) }},
	} {
		b.Run(c.name, func(b *testing.B) { settleBench(b, c.log(b), c.workers) })
	}
}

func settleBench(b *testing.B, log credit.Log, workers int) {
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: noCodec{}})
	require.NoError(b, err)
	require.NoError(b, l.OpenAccount(payer, 1<<59, crashNow))
	ids := make([]credit.HoldID, b.N)
	var failed atomic.Value
	each := func(n, workers int, fn func(i int) error) {
		var next atomic.Int64
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= n {
						return
					}
					if err := fn(i); err != nil {
						failed.Store(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	each(b.N, 1000, func(i int) (err error) {
		ids[i], err = l.Hold(voucher(uint64(i)), 10, crashNow)
		return err
	})
	b.ResetTimer()
	start := time.Now()
	each(b.N, workers, func(i int) error { return l.Settle(ids[i], worker, uint64(rand.IntN(10)), crashNow) })
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "settled/s")
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkHoldAndSettle: each op is a hold and its settlement, both durable, 500 at a time. The
// ledger's clock runs as if 20,000 came a second and their vouchers lived for two minutes. With
// -benchtime=5000000x it passes the state in which as many vouchers are forgotten as are used.
func BenchmarkHoldAndSettle(b *testing.B) {
	b.Run("all", func(b *testing.B) { holdAndSettle(b, 0) })
	b.Run("bound", func(b *testing.B) { holdAndSettle(b, 256<<20) })
}

// holdAndSettle runs with a log of budget bytes; 0 means no bound.
func holdAndSettle(b *testing.B, budget int64) {
	log := openStore(b, b.TempDir())
	log.Bound(budget)
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: noCodec{}})
	require.NoError(b, err)
	require.NoError(b, l.OpenAccount(payer, 1<<59, crashNow))
	var next atomic.Int64
	var failed atomic.Value
	var wg sync.WaitGroup
	b.ResetTimer()
	start := time.Now()
	for range 500 {
		wg.Go(func() {
			for failed.Load() == nil {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				at := crashNow.Add(time.Duration(i) * time.Second / 20_000)
				v := voucher(uint64(i))
				v.Expires = at.Add(2 * time.Minute)
				id, err := l.Hold(v, 10, at)
				if err == nil {
					err = l.Settle(id, worker, 5, at)
				}
				if err != nil {
					failed.Store(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "settled/s")
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRestart: the time from opening a store with a million entries to the first
// acknowledged entry.
func BenchmarkRestart(b *testing.B) {
	for name, every := range map[string]int{"checkpoints": 0, "whole": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			d, err := store.OpenDir(dir)
			require.NoError(b, err)
			log, _, err := store.OpenLog(d, "ledger")
			require.NoError(b, err)
			l, err := credit.OpenLedger(credit.Config{Log: log, Codec: noCodec{}, CheckpointEvery: every})
			require.NoError(b, err)
			require.NoError(b, l.OpenAccount(payer, 1<<59, crashNow))
			now := crashNow
			for i := range 500 { // two minutes a round: what is over is forgotten as in real life
				var wg sync.WaitGroup
				now = now.Add(2 * time.Minute)
				for w := range 1000 {
					wg.Go(func() {
						v := voucher(uint64(w*500 + i))
						v.Expires = now.Add(12 * time.Hour)
						id, err := l.Hold(v, 10, now)
						if err == nil {
							err = l.Settle(id, worker, 5, now)
						}
						if err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
			}
			n, _ := l.Head()
			require.NoError(b, errors.Join(l.Close(), log.Close(), d.Close()))
			b.ResetTimer()
			for i := range b.N {
				d, err := store.OpenDir(dir)
				require.NoError(b, err)
				log, _, err := store.OpenLog(d, "ledger")
				require.NoError(b, err)
				// The same every: a checkpoint saved here would spare the next round its replay.
				l, err := credit.OpenLedger(credit.Config{Log: log, Codec: noCodec{}, CheckpointEvery: every})
				require.NoError(b, err)
				require.NoError(b, l.Grant(payer, uint64(i+1), now))
				require.NoError(b, errors.Join(l.Close(), log.Close(), d.Close()))
			}
			b.ReportMetric(float64(n), "entries")
		})
	}
}
