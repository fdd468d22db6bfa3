package kernel

import (
	"context"
	"fmt"

	"inos/internal/fault"
)

var (
	// ErrNoJob: no job of this id that was dispatched from here is under way, or is remembered. Advice:
	// `inos.jobs()` lists those that are.
	ErrNoJob = fault.Final("unknown_job", "kernel: no such job is under way")

	errAsked = fault.Internal("cancelled by command")
)

// Cancel ends a job that was dispatched from here, wherever it is: its Dispatch
// returns an error that matches matchmaker.ErrCancelled, and the node that runs it
// is told. Cancel does not wait for that. Errors match ErrNoJob or ErrStopped.
func (k *Kernel) Cancel(ctx context.Context, jobID string) error {
	found := false
	if err := k.loop.ask(ctx, func(s *state) {
		if j := s.jobs.get(jobID, ""); j != nil {
			found = true
			j.cancel(errAsked)
		}
	}); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: %.60q", ErrNoJob, jobID)
	}
	return nil
}
