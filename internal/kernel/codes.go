package kernel

import (
	"context"
	"errors"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/kernel/lifecycle"
	"inos/internal/mesh"
	"inos/internal/supervisor"
	"inos/internal/threads/matchmaker"
)

// codeOf is the mesh's code for the failure of a run or a dispatch.
func codeOf(err error) mesh.JobCode {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return mesh.JobInternal
}

// codes are looked through in order; the first match is the cause. fault.Find answers another
// question: which code says the most. A compilation that was cut short, for example, counts here as
// cut short.
var codes = []struct {
	err  error
	code mesh.JobCode
}{
	{errBudget, mesh.JobCreditExhausted},
	{errVoucherEnds, mesh.JobDeadline},
	{ErrInput, mesh.JobRejected},
	{mesh.ErrTooBig, mesh.JobRejected},
	{budget.ErrFull, mesh.JobBusy}, // before lifecycle.ErrFetch, which it may come with
	{lifecycle.ErrFetch, mesh.JobUnknownCapsule},
	{supervisor.ErrBusy, mesh.JobBusy},
	{capsule.ErrNoMemory, mesh.JobBusy},
	{supervisor.ErrTimeLimit, mesh.JobDeadline},
	{supervisor.ErrWrongBytes, mesh.JobBadCapsule},
	{supervisor.ErrRestartIntensity, mesh.JobCrashed},
	{supervisor.ErrNoHeartbeat, mesh.JobCrashed},
	{supervisor.ErrStopped, mesh.JobCrashed},
	{capsule.ErrNotReady, mesh.JobCrashed},
	{capsule.ErrNotWasm, mesh.JobBadCapsule},
	{capsule.ErrCompile, mesh.JobBadCapsule},
	{capsule.ErrUnknownImport, mesh.JobBadCapsule},
	{capsule.ErrNoSharedMemory, mesh.JobBadCapsule},
	{capsule.ErrNoControlBlock, mesh.JobBadCapsule},
	{capsule.ErrNoRun, mesh.JobBadCapsule},
	{capsule.ErrABIVersion, mesh.JobBadCapsule},
	{capsule.ErrInstantiate, mesh.JobCrashed},
	{capsule.ErrMemoryLimit, mesh.JobFailed},
	{capsule.ErrUnknownMethod, mesh.JobFailed},
	{capsule.ErrBadInput, mesh.JobFailed},
	{capsule.ErrRunFailed, mesh.JobFailed},
	{capsule.ErrRunNoMemory, mesh.JobFailed},
	{matchmaker.ErrDeadline, mesh.JobDeadline},
	{matchmaker.ErrCancelled, mesh.JobCancelled},
	{context.DeadlineExceeded, mesh.JobDeadline},
	{context.Canceled, mesh.JobCancelled},
	{capsule.ErrDeadline, mesh.JobDeadline},
	{capsule.ErrTrap, mesh.JobCrashed},
	{capsule.ErrRingBroken, mesh.JobCrashed},
	{capsule.ErrProtocol, mesh.JobCrashed},
	{capsule.ErrStopped, mesh.JobCrashed},
	{capsule.ErrKilled, mesh.JobCrashed},
}
