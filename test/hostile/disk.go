//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"inos/internal/capsule"
	"inos/internal/mesh"
	"inos/internal/submit"
)

// ledgerLog is the bound of the attacked node's ledger log, in MiB.
const ledgerLog = 8

// fillsTheDisk are jobs that cost nothing to send and for which the ledger writes two entries each:
// their money is held, their capsule cannot be fetched, and the money is given back.
func fillsTheDisk(ctx context.Context, a *arena) (measured string, held bool, err error) {
	small, err := newArena(ctx, a.inos, a.capsules, "--ledger-log", fmt.Sprintf("%dMiB", ledgerLog))
	if err != nil {
		return "", false, err
	}
	measured, held, err = small.filled(ctx)
	return measured, held, errors.Join(err, small.close())
}

func (a *arena) filled(ctx context.Context) (string, bool, error) {
	const buyers, each = 4, 32
	const enough = 5 * ledgerLog << 20 / 4 / entryBytes // a quarter more than the log has room for
	var jobs atomic.Int64
	var largest int64
	began := time.Now()
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var senders sync.WaitGroup
	for range buyers {
		b, err := newBuyer(ctx, a)
		if err != nil {
			return "", false, err
		}
		defer b.mesh.Close()
		for range each {
			senders.Go(func() {
				for sending.Err() == nil && jobs.Add(1) <= enough/2 {
					if err := b.sendsNothing(sending); err != nil {
						stop(err)
					}
				}
			})
		}
	}
	ended := make(chan struct{})
	go func() { senders.Wait(); close(ended) }()
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case <-time.After(pingEvery):
		}
		size, err := a.logOnDisk()
		if err != nil {
			return "", false, err
		}
		largest = max(largest, size)
	}
	took := time.Since(began)
	if err := context.Cause(sending); err != nil {
		return "", false, err
	}
	out, err := exec.CommandContext(ctx, a.inos, "ledger", "verify", "--data", filepath.Join(a.folder, "node")).CombinedOutput()
	if err != nil {
		return "", false, fmt.Errorf("%w: %s", err, out)
	}
	found := regexp.MustCompile(`(?m)^ok: (\d+) entries`).FindSubmatch(out)
	if found == nil {
		return "", false, fmt.Errorf("verify said %s", out)
	}
	entries, err := strconv.Atoi(string(found[1]))
	if err != nil {
		return "", false, err
	}
	if err := a.honest(ctx); err != nil {
		return "", false, err
	}
	slowest, err := a.pinged()
	return fmt.Sprintf("%d entries (%d MiB) in %v; the log took %.1f MiB at most, and verifies; slowest ping %v", entries, entries*entryBytes>>20,
			took.Round(100*time.Millisecond), float64(largest)/(1<<20), slowest.Round(time.Millisecond)),
		largest <= ledgerLog<<20 && entries >= enough, err
}

// entryBytes is the least size of an entry in the log.
const entryBytes = 176

// sendsNothing is a job whose capsule no node has.
func (b *buyer) sendsNothing(ctx context.Context) error {
	now := time.Now()
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("none")), Budget: 100, Deadline: now.Add(30 * time.Second),
		CreditLedgerID: string(b.signer.Ledger()), Module: "hostile", Device: b.signer.Peer()}, now)
	if err != nil {
		return err
	}
	_, voucher, err := b.signer.Issue(sub.Job.ID, b.node, 100, now.Add(30*time.Second))
	if err != nil {
		return err
	}
	_, err = b.mesh.RunJob(ctx, b.node, mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher, Input: sub.Input}, nil)
	return err
}

// logOnDisk is the size of the node's ledger log.
func (a *arena) logOnDisk() (total int64, err error) {
	for _, pattern := range []string{"ledger.log", "ledger.*-*.log", "ledger.*-*.base"} {
		files, err := filepath.Glob(filepath.Join(a.folder, "node", pattern))
		if err != nil {
			return 0, err
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if errors.Is(err, os.ErrNotExist) {
				continue // it has just been removed
			}
			if err != nil {
				return 0, err
			}
			total += info.Size()
		}
	}
	return total, nil
}
