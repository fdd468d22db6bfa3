package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"inos/cmd/internal/node"
	"inos/internal/bridge"
	"inos/internal/console"
	"inos/internal/credit"
	"inos/internal/payment"
	"inos/internal/store"
)

// kept is what outlasts the page: the kernel's key and its ledger's log, in the origin private file
// system. A tab gets a key and a log for itself alone when another tab has the stored ones open, or
// when the browser refuses them. Key and log go together: a key with an empty ledger would break
// the promises that it has signed.
type kept struct {
	key     ed25519.PrivateKey
	log     credit.Log
	keep    payment.Store // nil: nothing else is stored
	storage bridge.Storage
	close   func() error
}

const seedKey = "identity/seed"

// ledgerLog bounds the ledger's entries in the browser's storage, in bytes.
const ledgerLog = 32 << 20

// keptNode builds a node on the stored key and log. Where nothing can be stored, or the stored data
// cannot be read or written, it builds one on a new key and a ledger that lasts as long as the tab,
// leaves the stored data as it is, and says why in kept.storage.
func keptNode(build func(kept) (*node.Node, error)) (kept, *node.Node, error) {
	k, err := openKept()
	if err == nil {
		n, failed := build(k)
		if failed == nil {
			return k, n, nil
		}
		// A store that cannot be read or written may not be closable either: the browser releases
		// it with the Worker.
		_ = k.close()
		err = failed
	}
	fmt.Fprintln(os.Stderr, "kernel: the ledger and the key last as long as this tab:", firstLine(err))
	if k, err = forgetful(err); err != nil {
		return kept{}, nil, err
	}
	n, err := build(k)
	return k, n, err
}

func openKept() (kept, error) {
	dir, err := store.OpenDir("inos")
	if err != nil {
		return kept{}, err
	}
	log, _, err := store.OpenLog(dir, "ledger")
	if err != nil {
		return kept{}, errors.Join(err, dir.Close())
	}
	log.Bound(ledgerLog)
	kv, err := store.OpenKV(dir, "kernel")
	if err != nil {
		return kept{}, errors.Join(err, log.Close(), dir.Close())
	}
	key, err := keptKey(kv)
	if err != nil {
		return kept{}, errors.Join(err, kv.Close(), log.Close(), dir.Close())
	}
	return kept{key: key, log: log, keep: kv, storage: bridge.Storage{Durable: true},
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

// forgetful makes a key and a log for this tab alone.
func forgetful(why error) (kept, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return kept{key: key, log: &credit.MemoryLog{Bound: credit.MemoryBudget}, close: func() error { return nil },
		storage: bridge.Storage{Reason: reasonOf(why), Detail: firstLine(why)}}, err
}

// firstLine omits the failures that follow from the first one.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// reasonOf is the stable word for the reason that nothing is stored.
func reasonOf(why error) console.StorageReason {
	switch {
	case errors.Is(why, store.ErrLocked):
		return console.StorageSecondTab
	case errors.Is(why, errors.ErrUnsupported):
		return console.StorageUnsupported
	case errors.Is(why, store.ErrSpace):
		return console.StorageFull
	case errors.Is(why, store.ErrRefused):
		return console.StorageRefused
	}
	return console.StorageDamaged // it can be read, but does not verify
}
