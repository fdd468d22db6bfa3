package payment

import (
	"context"
	"sync"
	"time"
)

const (
	// writeAgain is how long after a failure the next write is tried. The ledger's own pauses,
	// of up to 30 s, come on top.
	writeAgain = time.Second
	// writeRoom is how much must fit besides before writes count as possible again. A node on a
	// disk with room for one entry would otherwise alternate between in and out of service.
	writeRoom = 64 << 10
	roomKey   = "room"
)

// Durability tracks whether the node's ledger and Store can be written. While they cannot, the
// node is out of service.
type Durability struct {
	mu     sync.Mutex
	err    error
	failed chan struct{} // capacity 1: err has been set
}

// NewDurability returns a Durability without failures.
func NewDurability() *Durability { return &Durability{failed: make(chan struct{}, 1)} }

// Fail records that a write failed. It never blocks.
func (d *Durability) Fail(err error) {
	d.mu.Lock()
	d.err = err
	d.mu.Unlock()
	select {
	case d.failed <- struct{}{}:
	default:
	}
}

// takeFailure returns the failures since the last call, nil if there were none.
func (d *Durability) takeFailure() (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	err, d.err = d.err, nil
	return err
}

// Observe returns a Store that reports the failures of keep to Durability.
func (d *Durability) Observe(keep Store) Store { return observed{keep, d} }

type observed struct {
	Store
	durability *Durability
}

// Put implements Store.
func (o observed) Put(key string, value []byte) error {
	err := o.Store.Put(key, value)
	if err != nil {
		o.durability.Fail(err)
	}
	return err
}

// Delete implements Store.
func (o observed) Delete(key string) error {
	err := o.Store.Delete(key)
	if err != nil {
		o.durability.Fail(err)
	}
	return err
}

// Run calls setFailed with the failure when a write failed, and with nil once everything of p
// can be written again. It blocks until ctx ends or setFailed returns an error.
func (d *Durability) Run(ctx context.Context, p *Service, now func() time.Time, setFailed func(context.Context, error) error) {
	for {
		select {
		case <-d.failed:
		case <-ctx.Done():
			return
		}
		err := d.takeFailure()
		if err == nil {
			continue // a failure from before the attempt that succeeded
		}
		if setFailed(ctx, err) != nil || !d.untilWritable(ctx, p, now) || setFailed(ctx, nil) != nil {
			return
		}
	}
}

// untilWritable blocks until everything has been written; it returns false when ctx ends first.
func (d *Durability) untilWritable(ctx context.Context, p *Service, now func() time.Time) bool {
	again := time.NewTicker(writeAgain)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
		d.takeFailure()
		if p.tryWrite(now()) == nil {
			p.SettleAgain(now()) // settles what was earned meanwhile
			return true
		}
	}
}

// tryWrite makes a write that changes nothing and needs some room to spare.
func (p *Service) tryWrite(now time.Time) error {
	if p.keep != nil {
		if err := p.keep.Put(roomKey, make([]byte, writeRoom)); err != nil {
			return err
		}
		if err := p.keep.Delete(roomKey); err != nil {
			return err
		}
	}
	return p.ledger.Try(now)
}
