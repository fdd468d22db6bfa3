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
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
)

// errRequirements: the node no longer meets the job's requirements. Advice: try again; another node
// is chosen.
var errRequirements = fault.Retryable("requirements", "kernel: this node does not meet the job's requirements")

// HandleJob runs a job of another node. Governance admits it, its money is held, its input is
// received, and its capsule is fetched unless it is here; only then the job takes a slot. It
// implements mesh.Handler.
func (k *Kernel) HandleJob(ctx context.Context, from identity.PeerID, call mesh.JobCall, fetch mesh.FetchFunc, onProgress func(mesh.Progress)) mesh.JobOutcome {
	started := k.cfg.Now()
	ctx, end := k.served(ctx, call, started)
	out := k.handleJob(ctx, from, call, fetch, onProgress, started)
	out.Spans = end(spanCode(out, nil))
	return out
}

func (k *Kernel) handleJob(ctx context.Context, from identity.PeerID, call mesh.JobCall, fetch mesh.FetchFunc, onProgress func(mesh.Progress), started time.Time) mesh.JobOutcome {
	out := mesh.JobOutcome{JobID: call.Job.ID, Node: k.cfg.Self}
	_, admitted := span(ctx, "admit")
	a, err := k.cfg.Gate.Admit(governance.Request{
		Envelope: call.Envelope, Job: call.Job, Voucher: call.Voucher, From: from, Payee: k.cfg.Self, Origin: call.Origin, Ahead: call.Ahead,
	}, started)
	if err != nil {
		admitted(reasonOf(err))
		return k.refuse(out, from, err)
	}
	admitted("")
	defer k.cfg.Gate.Done(a)
	if out.Message, err = k.offer.Refusal(placement.RequestOf(call.Job, nil)); err != nil {
		return k.refuse(out, from, err)
	}
	if out.Message != "" {
		// Another node may meet the requirements: the caller's profile of this one is old.
		out.Code, out.Reason = mesh.JobBusy, errRequirements.Code()
		return out
	}
	ctx, handBack := context.WithCancelCause(ctx)
	defer handBack(nil)
	if k.leaving.draining.Load() {
		out.Code, out.Reason, out.Message = mesh.JobBusy, lifecycle.ErrDraining.Code(), lifecycle.ErrDraining.Error()
		return out
	}
	coming, busy, err := k.admitHere(ctx, a, call, from, started, handBack)
	switch {
	case errors.Is(err, ErrPanicked):
		out.Code, out.Message = mesh.JobInternal, err.Error()
		return out
	case err != nil: // the kernel stops, or the caller is gone
		out.Code, out.Message = mesh.JobBusy, err.Error()
		return out
	case busy != "":
		out.Code, out.Message = mesh.JobBusy, busy
		if busy == unwritable {
			out.Reason = credit.ErrFailed.Code()
		}
		return out
	}
	progress := k.progress(call.Job.ID, onProgress)
	queued := time.Since(started)
	ctx, cancel := context.WithCancel(ctx)
	if deadline := a.Job().Deadline; !deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	}
	defer cancel()
	input := k.cfg.Memory.Lease(budget.Inputs)
	defer input.End()
	w, out, ok := k.receive(ctx, a, call, input, fetch)
	defer w.over()
	if ok {
		complete := time.Now()
		if err := k.slotFor(ctx, coming, w.earning == nil || w.earning.Pays(), time.Since(started)); err != nil {
			w.refund(k.cfg.Now())
			out.Code, out.Message = mesh.JobBusy, err.Error()
			switch {
			case errors.Is(err, ErrPanicked):
				out.Code = mesh.JobInternal
			case errors.Is(err, context.DeadlineExceeded):
				out.Code, out.Reason = mesh.JobDeadline, mesh.Reason(err)
			}
		} else {
			queued += time.Since(complete)
			out = k.perform(ctx, a, w, progress)
		}
	}
	out = handedBack(ctx, out)
	out.Queued = queued
	_ = k.loop.tell(context.Background(), func(s *state) { // after the kernel's end the table does not matter
		s.arrivals.remove(coming)
		if coming.slot {
			s.returnSlot(time.Now())
		}
		s.drained(out)
		var err error
		if out.Code != mesh.JobOK {
			err = fmt.Errorf("kernel: job ended with code %d: %s", out.Code, out.Message)
		}
		s.endJob(call.Job.ID, from, out, err)
	})
	return out
}

// receive holds the money for a job of another node, then receives its input, for which room takes
// the memory, and its capsule. With ok the work that it returns is to be performed or refunded;
// then it is over.
func (k *Kernel) receive(ctx context.Context, a governance.Admitted, call mesh.JobCall, room *budget.Lease, fetch mesh.FetchFunc) (w work, out mesh.JobOutcome, ok bool) {
	out = mesh.JobOutcome{JobID: call.Job.ID, Node: k.cfg.Self}
	cid, err := capsule.ParseCID(a.Job().Capsule)
	if err != nil {
		return w, k.failed(out, fmt.Errorf("%w: %w", lifecycle.ErrFetch, err)), false
	}
	limits := k.limits(capsule.Manifest{})
	if k.cfg.Blobs.Has(cid) {
		if blob, err := k.modules.For(ctx, a.From(), cid); err == nil {
			limits = k.limits(blob.Manifest)
		}
	}
	if w, out, ok = k.held(a, Terms{Price: k.cfg.CreditCost, Amount: a.Job().Budget}, limits, out); !ok {
		return w, out, false
	}
	var input []byte
	if err = room.Hold(a.Job().InputLength); err == nil {
		if input, err = call.ReadInput(ctx); err == nil {
			err = checkInput(a.Job(), input)
		}
	}
	switch {
	case err == nil:
		w.input = input
		out, ok = k.capsuleOf(ctx, a, &w, fetch, out)
	case errors.Is(err, budget.ErrFull):
		out, ok = k.failed(out, err), false
	case errors.Is(context.Cause(ctx), errHandBack): // see handedBack
		out.Code, ok = mesh.JobBusy, false
	case ctx.Err() == context.DeadlineExceeded:
		out.Code, out.Reason, out.Message = mesh.JobDeadline, mesh.Reason(ctx.Err()), "kernel: the input did not come within the job's deadline"
		ok = false
	default:
		out, ok = k.refuse(out, a.From(), err), false
	}
	if !ok {
		w.refund(k.cfg.Now())
		if errors.Is(context.Cause(ctx), errMadeRoom) {
			out.Code, out.Reason, out.Message = mesh.JobBusy, "", errMadeRoom.Error()
		}
	}
	return w, out, ok
}

func (k *Kernel) refuse(out mesh.JobOutcome, from identity.PeerID, err error) mesh.JobOutcome {
	if errors.Is(err, governance.ErrFundsHeld) { // the credit line suffices, but other jobs hold it
		out.Code, out.Reason, out.Message = mesh.JobBusy, reasonOf(err), err.Error()
		return out
	}
	k.rejected(out.JobID, from, err)
	out.Code, out.Reason, out.Message = mesh.JobRejected, reasonOf(err), err.Error()
	return out
}

// admitHere puts the job into the table and among the arrivals, or returns why the node is busy.
// Errors are the loop's.
func (k *Kernel) admitHere(ctx context.Context, a governance.Admitted, call mesh.JobCall, from identity.PeerID, now time.Time, handBack context.CancelCauseFunc) (coming *arrival, busy string, err error) {
	asked := a.Job()
	err = k.loop.ask(ctx, func(s *state) {
		free, _ := s.nodes.Own()
		switch {
		case s.k.leaving.draining.Load(): // it may have begun since the check above
			busy = lifecycle.ErrDraining.Error()
			return
		case s.volunteeringPaused:
			busy = userActive
			return
		case s.unwritable != nil:
			busy = unwritable
			return
		case free == 0:
			busy = noFreeSlot
			return
		}
		j := &job{admitted: a, cancel: handBack, info: JobInfo{
			ID: asked.ID, Capsule: asked.Capsule, Method: asked.Method, State: JobPlaced, Priority: asked.Priority,
			From: from, Node: k.cfg.Self, Attempts: 1, Submitted: now,
		}}
		coming = &arrival{job: j, origin: origin(call, string(from)), bytes: arrivalCost + asked.InputLength}
		switch {
		case s.jobs.get(asked.ID, from) != nil:
			busy = "this job is running here"
			return
		case !s.arrivals.add(coming):
			busy = "as much as this caller may send at once is on its way"
			return
		}
		s.jobs.add(j)
		k.emit(JobAdmitted{At{now}, asked.ID, from, a.Decision()})
	})
	return coming, busy, err
}
