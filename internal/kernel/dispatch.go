package kernel

import (
	"context"
	"fmt"
	"time"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/kernel/quorum"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// Errors of Dispatch besides those of governance (a *governance.Rejection), the
// scheduler and the matchmaker. Both are final.
var (
	// ErrInput: the input is not what the job says it is.
	ErrInput = fault.Final("bad_input", "kernel: input does not match the job")
	// ErrDuplicate: a job with this id is under way. Advice: await that one, or leave the id out.
	ErrDuplicate = fault.Final("duplicate_job", "kernel: job is already under way")
)

// Dispatch runs a job on the best node and waits for its end. It asks governance first; a job that
// governance rejects (*governance.Rejection) goes nowhere else. Cancelling ctx cancels the job
// wherever it is.
func (k *Kernel) Dispatch(ctx context.Context, sub Submission) (Outcome, error) {
	started := k.cfg.Now()
	ctx, end := k.traced(ctx, &sub, started)
	out, err := k.dispatch(ctx, &sub, started)
	end(spanCode(mesh.JobOutcome{Code: out.Code}, err))
	return out, err
}

func (k *Kernel) dispatch(ctx context.Context, sub *Submission, started time.Time) (Outcome, error) {
	out := Outcome{JobID: sub.Job.ID}
	_, admitted := span(ctx, "admit")
	a, err := k.cfg.Gate.Admit(governance.Request{
		Envelope: sub.Envelope, Job: sub.Job, Voucher: sub.Voucher,
	}, started)
	if err != nil {
		admitted(reasonOf(err))
		k.rejected(sub.Job.ID, "", err)
		out.Code = mesh.JobRejected
		return out, err
	}
	admitted("")
	var run *quorum.Run // nil: one node runs it
	defer func() {
		done := func() { k.cfg.Gate.Done(a) }
		if run == nil {
			done()
		} else {
			run.AfterEnd(done)
		}
	}()
	if err := k.checkSubmission(a, sub); err != nil {
		out.Code = mesh.JobRejected
		k.rejected(sub.Job.ID, "", err)
		return out, err
	}
	input := k.cfg.Memory.Lease(budget.Inputs)
	defer input.End()
	if err := input.Hold(uint64(len(sub.Input))); err != nil {
		out.Code = mesh.JobBusy
		k.rejected(sub.Job.ID, "", err)
		return out, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	j := &job{admitted: a, sub: sub, cancel: cancel}
	if a.Job().ReplicasOrOne() > 1 {
		if run, err = k.newQuorumRun(j); err != nil {
			return out, err
		}
		j.run = run
	}
	if err := k.enter(ctx, j, started); err != nil {
		return out, err
	}
	ctx, matched := span(ctx, "match")
	res, err := k.matchmaker.Submit(ctx, j)
	matched(spanCode(res.Outcome, err))
	o := res.Outcome
	if run != nil && run.Result() != nil {
		res.Placement, res.Attempts = run.Result().Placement, run.Result().Attempts
	}
	if err != nil && o.Code == mesh.JobOK {
		o.Code = codeOf(err)
	}
	out.Code, out.Node, out.Score = o.Code, res.Placement.Node, res.Placement.Score
	out.Local = out.Node == k.cfg.Self
	out.Attempts, out.Queued = res.Attempts, res.Queued+o.Queued
	out.Run, out.Fetched, out.Cost = o.Run, o.FetchedBytes, max(o.Cost, paidFor(res.Attempts))
	out.Output, out.OutputCID, out.Receipt = o.Output, o.OutputCID, o.Receipt
	o.Cost = out.Cost
	err = k.leave(j, &out, o, err)
	out.Total = time.Since(started)
	return out, err
}

// paidFor is what all attempts together have cost, in microcredits.
func paidFor(attempts []matchmaker.Attempt) (sum uint64) {
	for _, a := range attempts {
		sum += a.Cost
	}
	return sum
}

// enter puts the job into the table.
func (k *Kernel) enter(ctx context.Context, j *job, now time.Time) error {
	asked, fresh := j.admitted.Job(), false
	j.info = JobInfo{
		ID: asked.ID, Capsule: asked.Capsule, Method: asked.Method, State: JobQueued,
		Priority: asked.Priority, Submitted: now,
	}
	var unpaid error
	if err := k.loop.ask(ctx, func(s *state) {
		if j.sub.Voucher == nil && s.unwritable != nil {
			unpaid = fmt.Errorf("kernel: %s and can pay for nothing: %w: %w", unwritable, credit.ErrFailed, s.unwritable)
			return
		}
		if fresh = s.jobs.add(j); fresh {
			k.emit(JobAdmitted{At{now}, asked.ID, "", j.admitted.Decision()})
		}
	}); err != nil {
		return err
	}
	if unpaid != nil {
		return unpaid
	}
	if !fresh {
		return fmt.Errorf("%w: %s", ErrDuplicate, asked.ID)
	}
	return nil
}

// leave takes the job out of the table, fills in the decision and returns err; where no node could
// run the job, that says why.
func (k *Kernel) leave(j *job, out *Outcome, o mesh.JobOutcome, err error) error {
	// Without a loop there is no table; the outcome is still valid.
	_ = k.loop.ask(context.Background(), func(s *state) {
		switch {
		case noNode(err):
			err = s.nobody(j, out.Attempts, err, time.Now())
		case neverSent(err):
			if n := s.nobody(j, out.Attempts, err, time.Now()); n.Decision.Feasible == 0 {
				err = fmt.Errorf("%w: %s", err, n.why())
			}
		}
		var decided bool
		if out.Decision, decided = j.history.Decision(); !decided { // the job waited until its end
			out.Decision = s.decideNow(j, time.Now())
		}
		if err == nil {
			s.nodes.JobDone(placement.KindOf(j.admitted), out.Node, out.Attempts, time.Now())
		}
		s.endJob(out.JobID, "", o, err)
	})
	return err
}

// endJob moves a job to the ended ones and emits JobEnded.
func (s *state) endJob(id string, from identity.PeerID, o mesh.JobOutcome, err error) {
	now := time.Now()
	if err == nil {
		s.done++
	} else {
		s.failed++
	}
	s.jobs.end(id, from, o, err, now)
	s.nobodyLeft()
	o.Output, o.Sent = nil, nil
	s.k.emit(JobEnded{At{now}, id, from, o.Node, o, err})
}

func (k *Kernel) rejected(jobID string, from identity.PeerID, err error) {
	k.rejections.Add(1)
	k.emit(JobRejected{at(), jobID, from, reasonOf(err), err})
}

// reasonOf is the stable code of a rejection.
func reasonOf(err error) string {
	if e := fault.Among(err, func(e *fault.Error) bool {
		return e == ErrInput || e == mesh.ErrTooBig || e == budget.ErrFull || e.Of("governance")
	}); e != nil {
		return e.Code()
	}
	return mesh.JobRejected.Fault().Code()
}

// checkSubmission finds errors that would keep every node from taking the job. They are this
// side's, so that no node is asked. Errors match mesh.ErrTooBig or ErrInput; both are final.
func (k *Kernel) checkSubmission(a governance.Admitted, sub *Submission) error {
	if err := (mesh.JobCall{Envelope: a.Envelope(), Voucher: sub.Voucher, Input: sub.Input}).Fits(); err != nil {
		return err
	}
	return checkInput(a.Job(), sub.Input)
}

// checkInput compares input with the job's description of it, as far as it has one.
func checkInput(job governance.Job, input []byte) error {
	if job.InputLength != uint64(len(input)) && (job.InputLength != 0 || job.InputCID != "") {
		return fmt.Errorf("%w: %d bytes instead of %d", ErrInput, len(input), job.InputLength)
	}
	if job.InputCID != "" && capsule.SumCID(input).String() != job.InputCID {
		return fmt.Errorf("%w: its CID is %s", ErrInput, capsule.SumCID(input))
	}
	return nil
}
