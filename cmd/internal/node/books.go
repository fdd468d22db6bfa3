package node

import (
	"context"
	"sync"
	"time"

	"inos/internal/payment"
)

const (
	// booksAgain is how long after a failure the books are tried; the ledger's own pauses,
	// to 30 s, come on top.
	booksAgain = time.Second
	// booksRoom is how much has to fit besides before they count as writable again: a node
	// on a disk with room for one entry would open and close for ever.
	booksRoom = 64 << 10
	roomKey   = "room"
)

// books is whether what this node has to keep can be written: its ledger and its keeper.
type books struct {
	mu     sync.Mutex
	err    error
	failed chan struct{} // capacity 1: err has been set
}

func newBooks() *books { return &books{failed: make(chan struct{}, 1)} }

// fail notes that a write failed. It never blocks.
func (b *books) fail(err error) {
	b.mu.Lock()
	b.err = err
	b.mu.Unlock()
	select {
	case b.failed <- struct{}{}:
	default:
	}
}

// take returns what failed since the last time.
func (b *books) take() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err, b.err = b.err, nil
	return err
}

// watched is a keeper of whose failures books hears.
type watched struct {
	payment.Keeper
	books *books
}

// Put implements payment.Keeper.
func (w watched) Put(key string, value []byte) error {
	err := w.Keeper.Put(key, value)
	if err != nil {
		w.books.fail(err)
	}
	return err
}

// Delete implements payment.Keeper.
func (w watched) Delete(key string) error {
	err := w.Keeper.Delete(key)
	if err != nil {
		w.books.fail(err)
	}
	return err
}

// watchBooks takes the node out of service while its books cannot be written, and tries
// them until they can, until ctx ends.
func (n *Node) watchBooks(ctx context.Context) {
	for {
		select {
		case <-n.books.failed:
		case <-ctx.Done():
			return
		}
		err := n.books.take()
		if err == nil {
			continue // of a try before the one that succeeded
		}
		if n.Kernel.SetBooks(ctx, err) != nil || !n.untilWritable(ctx) || n.Kernel.SetBooks(ctx, nil) != nil {
			return
		}
	}
}

// untilWritable returns once the books have been written, false when ctx has ended first.
func (n *Node) untilWritable(ctx context.Context) bool {
	again := time.NewTicker(booksAgain)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
		if n.tryBooks() == nil {
			n.Payment.SettleAgain(n.now()) // what was earned meanwhile
			return true
		}
	}
}

// tryBooks writes what changes nothing, and needs more room than that.
func (n *Node) tryBooks() error {
	n.books.take()
	if n.keep != nil {
		if err := n.keep.Put(roomKey, make([]byte, booksRoom)); err != nil {
			return err
		}
		if err := n.keep.Delete(roomKey); err != nil {
			return err
		}
	}
	return n.Ledger.Try(n.now())
}
