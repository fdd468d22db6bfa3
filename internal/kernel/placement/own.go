package placement

import (
	"time"

	"inos/internal/scheduler"
)

// own is this node's slots and its entry in the index.
type own struct {
	free, serving int
	sequence      uint64
}

// farFuture is when this node's own entry expires.
var farFuture = time.Unix(1<<33, 0)

// TakeOwn sets one of this node's own slots aside; false when none is free.
func (t *Table) TakeOwn(now time.Time) bool {
	if t.own.free == 0 {
		return false
	}
	t.own.free--
	t.own.serving++
	t.UpdateOwn(now)
	return true
}

// FreeOwn gives one of them back.
func (t *Table) FreeOwn(now time.Time) {
	t.own.free++
	t.own.serving--
	t.UpdateOwn(now)
}

// Own counts this node's free slots, and those that are occupied by jobs.
func (t *Table) Own() (free, serving int) { return t.own.free, t.own.serving }

// Sequence is the sequence number of this node's newest profile.
func (t *Table) Sequence() uint64 { return t.own.sequence }

// NextSequence is the sequence number of the next profile.
func (t *Table) NextSequence() uint64 {
	t.own.sequence++
	return t.own.sequence
}

// UpdateOwn brings this node's own entry up to date and has its new profile published.
func (t *Table) UpdateOwn(now time.Time) {
	if err := t.upsertOwn(now); err != nil {
		panic(err) // New has inserted the same node before
	}
	t.cfg.Effects.OwnChanged()
}

func (t *Table) upsertOwn(now time.Time) error {
	sequence := t.NextSequence()
	c := &t.cfg
	if c.Slots == 0 {
		return nil // it is never a candidate
	}
	return t.index.Upsert(scheduler.Node{
		ID: c.Self, Capabilities: c.Capabilities, GeoHash: c.GeoHash,
		Latency: scheduler.MinLatency, CreditCost: c.CreditCost, FreeSlots: uint32(t.own.free),
		Expires: farFuture, Sequence: sequence,
	}, now)
}
