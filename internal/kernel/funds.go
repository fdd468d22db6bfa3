package kernel

import (
	"context"
	"errors"
	"time"

	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

const (
	// reachTime is how long a job without a deadline may take besides its run, for capsule and
	// input to travel. An input adds its size divided by inputRate, in bytes a second.
	reachTime = 5 * time.Minute
	inputRate = 32 << 10
	// longestRun bounds a promise's time: no voucher is valid for longer than a day.
	longestRun = 12 * time.Hour
	// outgrow is the factor by which more is set aside for a run that has outlasted its amount.
	outgrow = 4
)

// Terms are what one run of a job may cost and how long it may take.
type Terms struct {
	Price  uint64    // microcredits a second, as when the node was chosen
	Amount uint64    // the most it may cost, in microcredits
	Until  time.Time // the run has ended by then, or counts as lost
	Funds  Funds     // where Amount is taken from; nil: from what the ledger has then
}

// Funds is an amount set aside on a ledger for one run.
type Funds interface {
	// Amount is the rest, in microcredits.
	Amount() uint64
	// Split takes amount out of it, which is at most the rest.
	Split(amount uint64) Funds
	// Release gives back what has not become a hold. Calling it again is harmless.
	Release()
}

// offer is what is set aside with a slot: the terms of the run without its end.
type offer struct {
	terms Terms
	run   time.Duration // the time that Amount pays for, where time limits the run
}

var _ placement.Offer = offer{}

// offerOf is what is set aside with p's slot. The slot owns it: what has not become a hold is given
// back with the slot.
func offerOf(p matchmaker.Placement) offer { return placement.SlotOf(p).Offer.(offer) }

// Release implements placement.Offer.
func (o offer) Release() {
	if o.terms.Funds != nil {
		o.terms.Funds.Release()
	}
}

// fund sets aside what a run of j's job on a node of this price can cost: the price times the time
// until its deadline or, without one, the usual time of such runs; never more than the budget, or
// than the ledger can pay. Errors match credit.ErrFundsHeld when the money is there but held for
// other jobs; it will be free later.
func (s *state) fund(j *job, price uint64, now time.Time) (o offer, err error) {
	a := j.admitted
	o = s.offerFor(j, price, now)
	if s.k.cfg.Payments == nil || a.Voucher() != nil {
		return o, nil
	}
	least := o.terms.Amount
	if j.sub.Job.Budget == 0 { // less than usual is accepted: most runs need far less
		least = j.outlasted + 1
	}
	if o.terms.Funds, err = s.k.cfg.Payments.Reserve(a.Ledger(), o.terms.Amount, least); err == nil {
		o.terms.Amount = o.terms.Funds.Amount()
	}
	return o, err
}

// fundAll does what fund does for the replicas of a job, for all of them or for none.
func (s *state) fundAll(j *job, places []matchmaker.Placement, now time.Time) error {
	offers := make([]offer, len(places))
	var sum uint64
	for i, p := range places {
		offers[i] = s.offerFor(j, p.Price, now)
		sum += offers[i].terms.Amount
	}
	if s.k.cfg.Payments != nil {
		least := sum
		if j.sub.Job.Budget == 0 {
			least = uint64(len(offers))
		}
		funds, err := s.k.cfg.Payments.Reserve(j.admitted.Ledger(), sum, least)
		if err != nil {
			return err
		}
		cut := funds.Amount() < sum
		for i := range offers {
			if cut {
				offers[i].terms.Amount = funds.Amount() / uint64(len(offers)-i)
			}
			offers[i].terms.Funds = funds.Split(offers[i].terms.Amount)
		}
	}
	for i, p := range places {
		placement.SlotOf(p).Offer = offers[i]
	}
	return nil
}

// offerFor is the most that a run can cost and take; it sets nothing aside.
func (s *state) offerFor(j *job, price uint64, now time.Time) (o offer) {
	asked := j.admitted.Job()
	o.run = s.runOf(j, price, now)
	o.terms = Terms{Price: price, Amount: asked.Budget}
	if j.sub.Job.Budget == 0 || !asked.Deadline.IsZero() {
		o.terms.Amount = min(asked.Budget, credit.Bound(price, o.run))
	}
	return o
}

// runOf is how long a run of j's job may take on a node of this price.
func (s *state) runOf(j *job, price uint64, now time.Time) time.Duration {
	asked := j.admitted.Job()
	_, limit := s.k.cfg.Gate.Limits()
	if limit <= 0 {
		limit = longestRun
	}
	run := limit
	switch {
	case !asked.Deadline.IsZero():
		return max(min(asked.Deadline.Sub(now), longestRun), time.Millisecond)
	case j.sub.Job.Budget > 0: // the budget bounds the cost, and so the time
		if price > 0 {
			run = max(run, credit.Meter{Rate: price, Max: asked.Budget}.Lasts())
		}
	case j.run == nil && price > 0:
		run = s.runs.usual(method{asked.Capsule, asked.Method}, limit)
		run = max(run, outgrow*min(j.outran, longestRun))
	}
	return min(run, longestRun)
}

// Until implements placement.Offer.
func (o offer) Until(asked governance.Job, now time.Time) time.Time {
	if !asked.Deadline.IsZero() {
		return asked.Deadline
	}
	return now.Add(o.run + reachTime + time.Duration(asked.InputLength/inputRate)*time.Second)
}

// outlasted reports whether a run on o ended because it used up what was set aside for it, though
// its caller has set no budget. Such a job is sent again with more set aside.
func (k *Kernel) outlasted(ctx context.Context, j *job, o offer, out mesh.JobOutcome) bool {
	sub := j.sub
	if sub.Job.Budget > 0 || out.Code != mesh.JobCreditExhausted || len(out.Receipt) == 0 || out.Cost < o.terms.Amount || o.terms.Funds == nil {
		return false
	}
	again := false
	// Without a loop nothing is sent again.
	_ = k.loop.ask(ctx, func(s *state) {
		if o.terms.Amount >= j.admitted.Job().Budget {
			return // the most that any job may cost
		}
		again = true
		j.outran, j.outlasted = max(j.outran, o.run), max(j.outlasted, o.terms.Amount)
		s.runs.add(method{sub.Job.Capsule, sub.Job.Method}, out.Run)
	})
	return again
}

// heldUp reports whether err, of a hold that could not be made, is temporary.
func heldUp(err error) bool { return errors.Is(err, credit.ErrFundsHeld) }
