package matchmaker

import (
	"context"
	"errors"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// Chooser picks nodes and keeps account of their slots.
type Chooser interface {
	// Choose sets a slot of the best node for job aside. attempt counts from 1;
	// exclude are the nodes that have failed this job. An error that matches ErrBusy
	// makes the job wait for the next Kick; any other is final. It may block until
	// ctx ends.
	Choose(ctx context.Context, job governance.Admitted, attempt int, exclude []identity.PeerID) (Placement, error)
	// Done returns the slot, once for every Placement, and tells how it went. A node
	// that answered JobBusy stays a candidate of the job: the Chooser must know it as
	// busy from then on.
	Done(p Placement, out mesh.JobOutcome, err error)
}

// Runner hands a job over and waits for its end. When ctx ends it returns soon.
type Runner interface {
	Run(ctx context.Context, job governance.Admitted, p Placement) (mesh.JobOutcome, error)
}

// Placement is a slot of a node set aside for a job.
type Placement struct {
	Node   identity.PeerID
	Score  float64
	Ticket uint64 // the Chooser's own
}

// Config of a Matchmaker. Chooser and Runner are required; zero figures mean the
// defaults.
type Config struct {
	Chooser  Chooser
	Runner   Runner
	Queue    int // jobs waiting at most; 0 means 1024
	InHand   int // jobs being placed or run at a time; 0 means 64
	Attempts int // nodes that may fail one job; 0 means 3. Busy ones do not count
	// Step is what one level of priority is worth in waiting time; 0 means 100 ms.
	// A job waits for jobs of a priority higher by d only as long as they arrive
	// within d*Step after it: at most 255*Step, whatever else arrives.
	Step time.Duration
	// Recheck is how often jobs that found every node busy try again even without
	// a Kick; 0 means 1 s.
	Recheck time.Duration
	// Hedge says how long to wait for p's answer before a second copy of the job goes
	// to another node, or that none shall. nil: never. At most one second copy a job,
	// and at most an eighth of InHand of them at a time; both count as attempts. It
	// must not block.
	Hedge func(job governance.Admitted, p Placement) (after time.Duration, ok bool)
}

// Errors of Submit. ErrQueueFull and ErrStopped are retryable; the others are
// final for the job. ErrBusy is for Choosers and never comes out of Submit.
var (
	ErrConfig      = errors.New("matchmaker: a Chooser and a Runner are required")
	ErrNotAdmitted = errors.New("matchmaker: job was not admitted")
	ErrDuplicate   = errors.New("matchmaker: job is already here")
	ErrQueueFull   = errors.New("matchmaker: queue is full")
	ErrStopped     = errors.New("matchmaker: stopped")
	ErrBusy        = errors.New("matchmaker: every node is busy")
	ErrDeadline    = errors.New("matchmaker: deadline has passed")
	ErrCancelled   = errors.New("matchmaker: cancelled")
	ErrAttempts    = errors.New("matchmaker: no node could do the job")
	ErrPanic       = errors.New("matchmaker: a callee panicked")
)

func (c Config) withDefaults() (Config, error) {
	if c.Chooser == nil || c.Runner == nil {
		return c, ErrConfig
	}
	if c.Queue <= 0 {
		c.Queue = 1024
	}
	if c.InHand <= 0 {
		c.InHand = 64
	}
	if c.Attempts <= 0 {
		c.Attempts = 3
	}
	if c.Step <= 0 {
		c.Step = 100 * time.Millisecond
	}
	if c.Recheck <= 0 {
		c.Recheck = time.Second
	}
	return c, nil
}
