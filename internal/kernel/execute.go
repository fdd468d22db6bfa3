package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/kernel/lifecycle"
	"inos/internal/mesh"
	"inos/internal/supervisor"
)

var (
	errBudget = fault.Final("credit_exhausted", "kernel: the job's budget is used up")
	// errVoucherEnds ends a run that its voucher no longer pays for.
	errVoucherEnds = fault.Retryable("deadline", "kernel: the job's voucher ends")
)

// work is a job that is to run here.
type work struct {
	cid     capsule.CID
	limits  Limits
	terms   Terms
	earning Earning // the hold for it; nil: nobody pays
	input   []byte
	fetched uint64 // bytes of the capsule that were transferred for it
	unpin   func() // releases its capsule; nil: the capsule is not here
}

// over releases the capsule of work that has ended.
func (w work) over() {
	if w.unpin != nil {
		w.unpin()
	}
}

// refund gives back the hold for work that is not done.
func (w work) refund(now time.Time) {
	if w.earning != nil {
		w.earning.Refund(now)
	}
}

// execute runs an admitted job of this node's own on its own capsules. The caller has taken a slot.
// It blocks until the job has ended; the end of ctx ends the job. terms.Amount is the most that the
// job may cost; when its time is short less is held, and only that may be billed.
func (k *Kernel) execute(ctx context.Context, a governance.Admitted, terms Terms, input []byte, fetch mesh.FetchFunc, onProgress func(mesh.Progress)) mesh.JobOutcome {
	out := mesh.JobOutcome{JobID: a.Job().ID, Node: k.cfg.Self}
	var got work
	out, ok := k.capsuleOf(ctx, a, &got, fetch, out)
	defer func() { got.over() }()
	if !ok {
		return out
	}
	w, out, ok := k.held(a, terms, got.limits, out)
	if !ok {
		return out
	}
	w.cid, w.input, w.fetched = got.cid, input, got.fetched
	out = k.perform(ctx, a, w, onProgress)
	out.LetGo() // the output belongs to the job's caller
	return out
}

// failed is out with the code and the message of err.
func (k *Kernel) failed(out mesh.JobOutcome, err error) mesh.JobOutcome {
	out.Code, out.Reason, out.Message = codeOf(err), mesh.Reason(err), mesh.ShortMessage(err.Error())
	return out
}

// capsuleOf fetches the job's capsule, unless it is here, and keeps it here until w is over. It
// sets the limits of w from the capsule's.
func (k *Kernel) capsuleOf(ctx context.Context, a governance.Admitted, w *work, fetch mesh.FetchFunc, out mesh.JobOutcome) (mesh.JobOutcome, bool) {
	var err error
	if w.cid, err = capsule.ParseCID(a.Job().Capsule); err != nil {
		return k.failed(out, fmt.Errorf("%w: %w", lifecycle.ErrFetch, err)), false
	}
	w.unpin = k.cfg.Blobs.Pin(w.cid, a.Origin())
	_, had := span(ctx, "fetch")
	blob, fetched, err := k.modules.Have(ctx, a.From(), w.cid, fetch)
	if err != nil || fetched > 0 {
		had(spanCode(out, err)) // a capsule that was here already needs no span
	}
	switch {
	case err != nil && ctx.Err() == context.DeadlineExceeded:
		return k.failed(out, ctx.Err()), false
	case errors.As(err, new(*governance.Rejection)): // the gate refuses the capsule
		return k.refuse(out, a.From(), err), false
	case err != nil:
		return k.failed(out, err), false
	}
	out.FetchedBytes, w.fetched = fetched, fetched
	if err := k.cfg.Gate.Start(a, blob.Manifest, blob.Publisher); err != nil {
		return k.refuse(out, a.From(), err), false
	}
	w.limits = k.limits(blob.Manifest)
	return out, true
}

// held sets aside the most that the job can cost within limits.
func (k *Kernel) held(a governance.Admitted, terms Terms, limits Limits, out mesh.JobOutcome) (w work, _ mesh.JobOutcome, ok bool) {
	now := k.cfg.Now()
	most := longestUse(a.Job(), limits, now)
	terms.Amount, terms.Until = min(terms.Amount, credit.Bound(k.cfg.CreditCost, most)), now.Add(most)
	w = work{limits: limits, terms: terms}
	if k.cfg.Payments == nil {
		return w, out, true
	}
	var err error
	switch w.earning, err = k.cfg.Payments.Earn(a, terms, now); {
	case heldUp(err), a.From() != "" && (errors.Is(err, credit.ErrFailed) || errors.Is(err, credit.ErrBusy)):
		// It is not the payer's fault.
		out.Code, out.Message, out.Reason = mesh.JobBusy, err.Error(), mesh.Reason(err)
		return work{}, out, false
	case err != nil:
		out.Code, out.Message, out.Reason = mesh.JobCreditExhausted, err.Error(), mesh.Reason(err)
		return work{}, out, false
	}
	return w, out, true
}

// perform runs w, for which a slot has been taken, and collects the payment.
func (k *Kernel) perform(ctx context.Context, a governance.Admitted, w work, onProgress func(mesh.Progress)) mesh.JobOutcome {
	job, earning, input := a.Job(), w.earning, w.input
	out := mesh.JobOutcome{JobID: job.ID, Node: k.cfg.Self, FetchedBytes: w.fetched}
	now := k.cfg.Now()
	// Time has passed since the hold was made, and the capsule's own limits are known now.
	amount := min(w.terms.Amount, credit.Bound(k.cfg.CreditCost, longestUse(job, w.limits, now)))
	paidFor := time.Duration(-1) // by the voucher, from now; below 0: without end
	if earning != nil {
		paidFor = max(earning.Until().Sub(now), 0)
	}
	traced, ran := span(ctx, "run")
	left := time.Duration(-1)
	if !job.Deadline.IsZero() {
		left = max(job.Deadline.Sub(now), 0)
	}
	running, end := runFor(traced, left, paidFor)
	defer end(nil)
	room := k.cfg.Memory.Lease(budget.Outputs)
	task := capsule.Task{Method: job.Method, Args: job.Args, Input: input, Room: room.Hold}
	m := lifecycle.NewMeter(k.cfg.CreditCost, amount, onProgress, func() { end(errBudget) })
	output, err := k.cfg.Capsules.Run(capsule.Metered(running, m.Begin), w.cid, w.limits, task, m.Progress)
	began, used, cost := m.Stop()
	finished := k.cfg.Now()
	out.Run = used
	err = endedBy(ctx, running, err)
	ran(spanCode(out, err))
	if err != nil {
		room.End()
	}
	switch {
	case began.IsZero(): // the node did nothing for the job
		w.refund(finished)
		return k.failed(out, err)
	case err == nil:
		out.Output, out.OutputCID, out.Sent = output, capsule.SumCID(output).String(), room.End
	case errors.Is(err, errHandBack):
		out.Code, out.Reason, out.Message = mesh.JobBusy, lifecycle.ErrDraining.Code(), err.Error()
	default:
		out = k.failed(out, err)
	}
	// The run is paid for as long as it took, however it ended: a caller who can end a run must not
	// get a node's time for nothing.
	out.Cost = cost
	if earning != nil {
		_, settled := span(ctx, "settle")
		out.Receipt, err = earning.Collect(Work{
			CapsuleCID: job.Capsule, InputCID: capsule.SumCID(input).String(), OutputCID: out.OutputCID,
			Cost: out.Cost, Started: finished.Add(-time.Since(began)), Finished: finished, Code: out.Code,
		}, finished)
		settled(mesh.Reason(err))
		if err != nil {
			out.LetGo()
			out.Output, out.OutputCID, out.Cost = nil, "", 0
			if out.Code == mesh.JobOK {
				return k.failed(out, err)
			}
		}
	}
	return out
}

// runFor is a context for a run. It ends when the time left to the job's deadline, or the time that
// its voucher pays for, is over. A time below 0 is without end.
func runFor(ctx context.Context, left, paidFor time.Duration) (context.Context, context.CancelCauseFunc) {
	least, why := left, error(context.DeadlineExceeded)
	if paidFor >= 0 && (left < 0 || paidFor < left) {
		least, why = paidFor, errVoucherEnds
	}
	release := func() {}
	if least >= 0 {
		ctx, release = context.WithTimeoutCause(ctx, least, why)
	}
	ctx, end := context.WithCancelCause(ctx)
	return ctx, func(cause error) {
		end(cause)
		release()
	}
}

// endedBy is the error of a run on running, a child of ctx. When err is what the end of its context
// looks like, it is the cause of that end.
func endedBy(ctx, running context.Context, err error) error {
	cause := context.Cause(running)
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, cause)
	switch {
	case err == nil, running.Err() == nil, !ended:
		return err
	case ctx.Err() == nil, errors.Is(cause, errHandBack):
		return cause
	}
	return ctx.Err()
}

// limits of a run: the capsule's own, cut to what the policy allows.
func (k *Kernel) limits(m capsule.Manifest) Limits {
	l := Limits{MemoryBytes: m.MemoryLimit, Time: m.TimeLimit}
	memory, run := k.cfg.Gate.Limits()
	if l.MemoryBytes == 0 || memory < l.MemoryBytes {
		l.MemoryBytes = memory
	}
	if l.Time == 0 || run < l.Time {
		l.Time = run
	}
	return l
}

// longestUse is how long a run may take, its compilation and its start included.
func longestUse(job governance.Job, l Limits, now time.Time) time.Duration {
	most := longestRun
	if l.Time > 0 {
		most = min(most, l.Time+supervisor.DefaultStartTimeout)
	}
	if !job.Deadline.IsZero() {
		most = min(most, max(job.Deadline.Sub(now), time.Millisecond))
	}
	return most
}
