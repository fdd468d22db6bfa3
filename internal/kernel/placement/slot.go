package placement

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"inos/internal/credit"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// Slot is a slot of a node that is set aside for a job; a matchmaker.Placement holds it. The
// exported fields do not change once the Placement has been handed out; the rest is the Table's.
type Slot struct {
	Own     bool // of this node itself
	Offer   Offer
	At      time.Time
	Capsule string
	Method  string

	kind     Kind
	lease    scheduler.Lease // of another node
	stranger bool            // its node had no record
	working  bool            // the stranger has reported that it runs the job
	until    time.Time       // the end of its promise
	returned bool
}

// SlotOf is the slot of p.
func SlotOf(p matchmaker.Placement) *Slot { return p.Slot.(*Slot) }

// setAside takes the slot of a choice, and sets aside what the run can cost.
func (t *Table) setAside(w matchmaker.Waiting, c scheduler.Choice, d Decision, now time.Time) matchmaker.Choice {
	j := w.Job.(Job)
	id, a := c.Node.ID, j.Admitted()
	asked := a.Job()
	slot := &Slot{Own: id == t.cfg.Self, At: now, Capsule: asked.Capsule, Method: asked.Method, kind: KindOf(a)}
	var err error
	slot.Offer, err = t.cfg.Effects.Fund(j, c.Node.CreditCost, now)
	j.History().Decide(d)
	if err != nil {
		return Unfunded(err)
	}
	if slot.Own {
		slot.Own = t.TakeOwn(now)
	} else {
		slot.lease, _ = t.index.Acquire(id, now) // the choice found a free slot
		if slot.stranger = c.Node.Stranger > 0; slot.stranger {
			t.strangersOut++
			slot.until = slot.Offer.Until(asked, now)
		}
	}
	t.placed++
	t.cfg.Effects.Placed(j, id, c.Score, w.Attempt, now)
	return matchmaker.Choice{Placement: matchmaker.Placement{
		Node: id, Score: c.Score, Price: c.Node.CreditCost, Known: c.Node.Stranger == 0, Own: slot.Own, Slot: slot,
	}}
}

// Unfunded is the Choice of a job that cannot be paid for now. It waits for held money, in a line
// with the jobs that need about as much, or it has failed.
func Unfunded(err error) matchmaker.Choice {
	var lack *credit.Shortage
	if !errors.As(err, &lack) || !lack.Temporary() {
		return matchmaker.Choice{Err: err}
	}
	return matchmaker.Choice{
		Err:   fmt.Errorf("%w: %w", matchmaker.ErrBusy, err),
		For:   "funds (" + lack.Detail() + ")",
		Apart: fmt.Sprintf(" needs 2^%d", bits.Len64(lack.Needed)),
	}
}

// Reserve sets a slot of p's node aside for a replica of a job and stores it in p, without an
// offer; false when none is free.
func (t *Table) Reserve(p *matchmaker.Placement, capsule string, now time.Time) bool {
	slot := &Slot{At: now, Capsule: capsule}
	ok := false
	if p.Node == t.cfg.Self {
		slot.Own = t.TakeOwn(now)
		ok = slot.Own
	} else {
		slot.lease, ok = t.index.Acquire(p.Node, now)
	}
	if ok {
		t.placed++
		p.Slot = slot
	}
	return ok
}

// GiveBack gives back slots that no job has used, and what is set aside with them. The caller kicks
// the queue if jobs may have found these slots taken.
func (t *Table) GiveBack(places []matchmaker.Placement, now time.Time) {
	for _, p := range places {
		if slot := t.takeBack(p); slot.Own {
			t.FreeOwn(now)
		} else {
			t.index.Release(slot.lease)
		}
	}
}

// takeBack counts p's slot as returned, and gives back what is set aside with it.
func (t *Table) takeBack(p matchmaker.Placement) *Slot {
	slot := SlotOf(p)
	slot.returned = true
	t.placed--
	if slot.stranger {
		t.strangersOut--
	}
	if slot.Offer != nil {
		slot.Offer.Release()
	}
	return slot
}
