// The browser's half of test/browser/store/run.mjs: a ledger on the origin
// private file system, in a Worker that may be killed at any time.
//
//	page settle NOW          holds and settles from 50 goroutines, one line "ack NONCE" each
//	page check NOW           everything in globalThis.acked is there, the chain verifies
//	page bench NOW N         settles N holds and says how many a second
//	page open NOW            says how long it took to the first acknowledged entry
//	page locked NOW          the store is open elsewhere
package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall/js"
	"time"

	"inos/internal/credit"
	"inos/internal/store"
	"inos/internal/testkit"
	"inos/internal/wire"
)

// boundLog is the bound of the log while the process is killed, in bytes.
const boundLog = 1 << 20

var (
	payer  = testkit.Ledger(1)
	worker = testkit.Peer(2)
	now    time.Time
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("FAIL", err)
	}
	fmt.Println("end")
}

func run(args []string) error {
	ns, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	now = time.Unix(0, ns)
	if args[0] == "locked" {
		_, err := store.OpenDir("inos-test")
		if !errors.Is(err, store.ErrLocked) {
			return fmt.Errorf("opened twice: %v", err)
		}
		fmt.Println("PASS", err)
		return nil
	}
	start := time.Now()
	dir, err := store.OpenDir("inos-test")
	if err != nil {
		return err
	}
	log, recovery, err := store.OpenLog(dir, "ledger")
	if err != nil {
		return err
	}
	every := 300 // so that there are some; a long log has them as rarely as in use
	if args[0] == "open" || len(args) > 2 && len(args[2]) > 5 {
		every = 0
	}
	if every > 0 {
		log.Bound(boundLog) // it lets entries go all the time
	}
	l, err := credit.OpenLedger(credit.Config{Log: log, Codec: wire.Credit{}, CheckpointEvery: every})
	if err != nil {
		return err
	}
	opened := time.Since(start)
	switch args[0] {
	case "settle":
		return settle(l)
	case "check":
		report, err := check(l, log, strings.Fields(js.Global().Get("acked").String()))
		if err != nil {
			return err
		}
		n, _ := l.Head()
		fmt.Printf("PASS %d entries, %d let go, %d bytes kept, %d bytes cut, opened in %v\n", n, report.Gone, recovery.Bytes, recovery.Cut, opened.Round(time.Millisecond))
	case "open":
		if err := l.Grant(payer, 1, now); err != nil {
			return err
		}
		took := time.Since(start)
		n, _ := l.Head()
		fmt.Printf("PASS first acknowledged entry %v after opening a store of %d\n", took.Round(time.Millisecond), n-1)
	case "bench":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		if err := bench(l, n); err != nil {
			return err
		}
	}
	return errors.Join(l.Close(), log.Close(), dir.Close())
}

func voucher() credit.Voucher {
	v := credit.Voucher{LedgerID: payer, JobID: "01935c2e-7d1a-7c3b-8f00-0123456789ab", Payee: worker, MaxAmount: 10,
		Expires: now.Add(time.Minute)}
	rand.Read(v.Nonce[:]) // never fails
	return v
}

func settle(l *credit.Ledger) error {
	if err := errors.Join(l.OpenAccount(payer, 0, now), l.Grant(payer, 1<<40, now)); err != nil {
		return err
	}
	failed := make(chan error)
	for range 50 {
		go func() {
			for {
				v := voucher()
				id, err := l.Hold(v, 10, now)
				if err == nil {
					err = l.Settle(id, worker, uint64(v.Nonce[0]%11), now)
				}
				if err != nil {
					failed <- err
					return
				}
				fmt.Println("ack", hex.EncodeToString(v.Nonce[:]))
			}
		}()
	}
	return <-failed
}

func check(l *credit.Ledger, log *store.Log, nonces []string) (report credit.Report, err error) {
	if n := l.Sum(); n != 0 {
		return report, fmt.Errorf("the sum is %d", n)
	}
	for _, s := range nonces {
		raw, err := hex.DecodeString(s)
		if err != nil || len(raw) != 16 {
			return report, fmt.Errorf("nonce %q", s)
		}
		id := credit.HoldID{Ledger: payer, Nonce: credit.Nonce(raw)}
		if err := l.Settle(id, worker, 0, now); !errors.Is(err, credit.ErrHoldSettled) {
			return report, fmt.Errorf("acknowledged %s, now: %v", s, err)
		}
	}
	var earned int64
	report, err = credit.Verify(log, func(e credit.Entry) error {
		if e.Kind == credit.KindSettle {
			earned += int64(e.Cost)
		}
		return nil
	})
	if err != nil {
		return report, err
	}
	if n, head := l.Head(); n != report.Entries || head != report.Head {
		return report, fmt.Errorf("the ledger has %d entries, the log %d", n, report.Entries)
	}
	if report.Gone == 0 && earned != l.Earned(worker) {
		return report, fmt.Errorf("earned %d, the log says %d", l.Earned(worker), earned)
	}
	for len(l.Holds()) > 0 {
		if _, err := l.Expire(now.Add(2 * time.Minute)); err != nil {
			return report, err
		}
	}
	return report, log.Verify()
}

func bench(l *credit.Ledger, n int) error {
	if err := errors.Join(l.OpenAccount(payer, 0, now), l.Grant(payer, 1<<40, now)); err != nil {
		return err
	}
	for _, workers := range []int{1, 50, 200} {
		ids := make([]credit.HoldID, n)
		each := func(workers int, fn func(i int) error) error {
			var wg sync.WaitGroup
			errs := make([]error, workers)
			for w := range workers {
				wg.Go(func() {
					for i := w; i < n; i += workers {
						if err := fn(i); err != nil {
							errs[w] = err
							return
						}
					}
				})
			}
			wg.Wait()
			return errors.Join(errs...)
		}
		if err := each(500, func(i int) (err error) {
			ids[i], err = l.Hold(voucher(), 10, now)
			return err
		}); err != nil {
			return err
		}
		start := time.Now()
		if err := each(workers, func(i int) error { return l.Settle(ids[i], worker, 5, now) }); err != nil {
			return err
		}
		fmt.Printf("PASS %d settlements by %d workers: %.0f a second\n", n, workers, float64(n)/time.Since(start).Seconds())
	}
	return nil
}
