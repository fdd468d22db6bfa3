package kernel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// HandleJob runs a job of another node: governance first, then a slot, then the
// input, then the capsule, fetched if it is not here. It implements mesh.Handler.
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
		Envelope: call.Envelope, Job: call.Job, Voucher: call.Voucher, From: from, Payee: k.cfg.Self, Ahead: call.Ahead,
	}, started)
	if err != nil {
		admitted(reasonOf(err))
		return k.refuse(out, from, err)
	}
	admitted("")
	defer k.cfg.Gate.Done(a)
	if out.Message = k.lacks(call.Job.Requirements); out.Message != "" {
		// Another node may have it: the caller's picture of this one is old.
		out.Code, out.Reason = mesh.JobBusy, "requirements"
		return out
	}
	ctx, handBack := context.WithCancelCause(ctx)
	defer handBack(nil)
	if k.leaving.draining.Load() {
		out.Code, out.Reason, out.Message = mesh.JobBusy, reasonDraining, ErrDraining.Error()
		return out
	}
	switch busy, err := k.admitHere(ctx, a, from, started, handBack); {
	case errors.Is(err, ErrPanicked):
		out.Code, out.Message = mesh.JobInternal, err.Error()
		return out
	case err != nil: // stopping, or the caller is gone
		out.Code, out.Message = mesh.JobBusy, err.Error()
		return out
	case busy != "":
		out.Code, out.Message = mesh.JobBusy, busy
		return out
	}
	progress := k.progress(call.Job.ID, onProgress)
	queued := time.Since(started)
	ctx, cancel := context.WithCancel(ctx)
	if deadline := a.Job().Deadline; !deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	}
	defer cancel()
	input, err := call.ReadInput(ctx)
	if err == nil {
		err = checkInput(a.Job(), input)
	}
	switch {
	case err == nil:
		out = k.execute(ctx, a, Terms{Price: k.cfg.CreditCost, Amount: a.Job().Budget}, input, fetch, progress)
	case errors.Is(context.Cause(ctx), errHandBack): // see below
		out.Code = mesh.JobBusy
	case ctx.Err() == context.DeadlineExceeded:
		out.Code, out.Reason, out.Message = mesh.JobDeadline, codeText(ctx.Err()), "kernel: the input did not come within the job's deadline"
	default:
		out = k.refuse(out, from, err)
	}
	out = handedBack(ctx, out)
	out.Queued = queued
	_ = k.loop.tell(context.Background(), func(s *state) { // the kernel's end needs no bookkeeping
		s.returnSlot()
		s.drained(out)
		var err error
		if out.Code != mesh.JobOK {
			err = fmt.Errorf("kernel: job ended with code %d: %s", out.Code, out.Message)
		}
		s.endJob(call.Job.ID, from, out, err)
	})
	return out
}

func (k *Kernel) refuse(out mesh.JobOutcome, from identity.PeerID, err error) mesh.JobOutcome {
	if errors.Is(err, governance.ErrFundsHeld) { // the line is there, but other jobs have it
		out.Code, out.Reason, out.Message = mesh.JobBusy, reasonOf(err), err.Error()
		return out
	}
	k.rejected(out.JobID, from, err)
	out.Code, out.Reason, out.Message = mesh.JobRejected, reasonOf(err), err.Error()
	return out
}

// lacks names what the job requires and this node is not.
func (k *Kernel) lacks(r governance.Requirements) string {
	for _, c := range r.Capabilities {
		if !slices.Contains(k.cfg.Capabilities, c) {
			return fmt.Sprintf("this node has no %q", c)
		}
	}
	if !strings.HasPrefix(k.cfg.GeoHash, r.GeoPrefix) {
		return fmt.Sprintf("this node does not lie in %q", r.GeoPrefix)
	}
	if r.MaxCost != 0 && k.cfg.CreditCost > r.MaxCost {
		return "this node costs more than the job allows"
	}
	return ""
}

// admitHere takes a slot and puts the job in the table, or says why not.
// Errors are the loop's.
func (k *Kernel) admitHere(ctx context.Context, a governance.Admitted, from identity.PeerID, now time.Time, handBack context.CancelCauseFunc) (busy string, err error) {
	asked := a.Job()
	err = k.loop.ask(ctx, func(s *state) {
		switch {
		case s.k.leaving.draining.Load(): // since it was asked above
			busy = ErrDraining.Error()
			return
		case s.resting:
			busy = resting
			return
		case s.free == 0:
			busy = "no free slot"
			return
		}
		if !s.jobs.add(&job{admitted: a, cancel: handBack, info: JobInfo{
			ID: asked.ID, Capsule: asked.Capsule, Method: asked.Method, State: JobPlaced, Priority: asked.Priority,
			From: from, Node: k.cfg.Self, Attempts: 1, Submitted: now,
		}}) {
			busy = "this job is running here"
			return
		}
		s.takeSlot()
		k.emit(JobAdmitted{At{now}, asked.ID, from, a.Decision()})
	})
	return busy, err
}
