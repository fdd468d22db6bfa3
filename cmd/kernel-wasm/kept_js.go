package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"inos/internal/credit"
	"inos/internal/payment"
	"inos/internal/store"
)

// kept is what outlasts the page: the kernel's key and its ledger's log, in the
// origin private file system. A tab that finds them in another tab's hands, or a
// browser without them, gets a key and a log for itself alone.
type kept struct {
	key     ed25519.PrivateKey
	log     credit.Log
	keep    payment.Keeper // nil: nothing else is kept
	durable bool
	close   func() error
}

const seedKey = "identity/seed"

func openKept() (kept, error) {
	dir, err := store.OpenDir("inos")
	switch {
	case errors.Is(err, store.ErrLocked):
		fmt.Fprintln(os.Stderr, "kernel: another tab keeps this browser's ledger; this one's lasts as long as the tab")
		return forgetful()
	case errors.Is(err, errors.ErrUnsupported):
		fmt.Fprintln(os.Stderr, "kernel: this browser keeps no files here; the ledger lasts as long as the tab:", err)
		return forgetful()
	case err != nil:
		return kept{}, err
	}
	log, _, err := store.OpenLog(dir, "ledger")
	if err != nil {
		return kept{}, errors.Join(err, dir.Close())
	}
	kv, err := store.OpenKV(dir, "kernel")
	if err != nil {
		return kept{}, errors.Join(err, log.Close(), dir.Close())
	}
	key, err := keptKey(kv)
	if err != nil {
		return kept{}, errors.Join(err, kv.Close(), log.Close(), dir.Close())
	}
	return kept{key: key, log: log, keep: kv, durable: true,
		close: func() error { return errors.Join(kv.Close(), log.Close(), dir.Close()) }}, nil
}

func keptKey(kv *store.KV) (key ed25519.PrivateKey, err error) {
	if seed, ok := kv.Get(seedKey); ok && len(seed) == ed25519.SeedSize {
		return ed25519.NewKeyFromSeed(seed), nil
	}
	if _, key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	return key, kv.Put(seedKey, key.Seed())
}

func forgetful() (kept, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return kept{key: key, log: &credit.MemoryLog{}, close: func() error { return nil }}, err
}
