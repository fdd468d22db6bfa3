package matchmaker

import (
	"context"
	"time"

	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// Chooser picks nodes and accounts for their slots.
type Chooser interface {
	// Choose sets a slot aside for as many of jobs as possible, the first ones first. It returns
	// one Choice for each job, in their order. It waits for nothing but its own account of the
	// nodes.
	Choose(ctx context.Context, jobs []Waiting) []Choice
	// Look finds out what was missing for a job whose Choice was ErrLook. It may block until ctx
	// ends. The job is then chosen for again, at its old rank.
	Look(ctx context.Context, job Waiting)
	// Done returns the slot, once for every Placement, and reports the outcome. A node that
	// answered JobBusy, or to which nothing could be sent (mesh.ErrUnsent), stays a candidate of
	// the job: from then on the Chooser must treat it as busy, or pass it over for a while.
	// while, from then on.
	Done(p Placement, out mesh.JobOutcome, err error)
}

// Runner sends a job to its node and waits for its end. It returns soon after ctx ends. It calls
// alive whenever the node reports progress of the job.
type Runner interface {
	Run(ctx context.Context, job Job, p Placement, alive func()) (mesh.JobOutcome, error)
}

// Job is what is queued: an admission, and whatever else its Chooser and its Runner need of the
// job. They get it back as it was submitted.
type Job interface {
	// Admitted returns the same value each time.
	Admitted() governance.Admitted
}

// Waiting is a job that wants a node.
type Waiting struct {
	Ctx     context.Context // the job's own: it ends with the job and carries its trace
	Job     Job
	Attempt int               // counts from 1, tries that were not sent included
	Last    bool              // one more failure fails the job
	Exclude []identity.PeerID // the nodes that have failed this job: never chosen
}

// Choice is a Placement, or why there is none. An Err that matches ErrBusy makes the job wait for
// the next Kick, with every other job of the same requirements, capsule, ledger, copies, exclusions
// and Apart. So does an Err that matches ErrNobody, unless a node has said that it will not have
// this job or cannot do it. An Err that matches ErrLook makes the Matchmaker call Look, and may
// match ErrNobody too. Any other Err is final for the job.
type Choice struct {
	Placement
	Err error
	// For says in a few words what a job waits for when Err makes it wait; empty means "a free
	// slot". Apart separates jobs that lack different things into lines of their own; it has few
	// values.
	For, Apart string
}

// Placement is a slot of a node set aside for a job.
type Placement struct {
	Node  identity.PeerID
	Score float64
	Price uint64 // microcredits a second, as used in the node's score
	Known bool   // the node has done jobs before
	Own   bool   // it is this node itself
	Slot  any    // the Chooser's own type, which Runner and Done get back
}

// Config of a Matchmaker. Chooser and Runner are required; zero figures mean the
// defaults.
type Config struct {
	Chooser Chooser
	Runner  Runner
	Queue   int // jobs waiting at most; 0 means 1024
	InHand  int // jobs that run, or for which a node is being found, at a time; 0 means 64
	// Attempts is how often one job may fail; 0 means 3. An answer of a busy node counts only when
	// another node has been paid for work that it had begun. A node to which nothing could be sent
	// does not count.
	Attempts int
	// Step is what one level of priority is worth in waiting time; 0 means 100 ms. A near deadline
	// is worth up to one level more. Among jobs that the same nodes could run, a job waits for a
	// job whose priority is higher by d only if that one arrives within (d+1)*Step after it: at
	// most 256*Step, whatever else arrives. Second copies and replacements of silent nodes, at most
	// one for each job in hand, take a slot without waiting in line.
	Step time.Duration
	// Recheck is how often jobs that found every node busy try again even without a Kick; 0 means 1
	// s.
	Recheck time.Duration
	// NodeWait is how long a job without a deadline waits while no node can take it; 0 means 1 min.
	// A job with a deadline waits until that.
	NodeWait time.Duration
	// StallTimeout is how long a node may have a job without reporting progress (its Runner's
	// alive) before another node gets the job, if one has a slot; 0 means 30 s. It is shorter when
	// the job's deadline is near: an equal share of the time left for each attempt left, but never
	// below 3 s, plus a second for every 128 KiB of input. The last attempt, an attempt that no
	// node can take over, and a job for several nodes are not stopped.
	StallTimeout time.Duration
	// Hedge says how long to wait for p's answer before a second copy of the job goes to another
	// node, or that there is to be none. nil means never. A job has at most one second copy, and
	// there are at most an eighth of InHand of them at a time. Both copies count as attempts. Hedge
	// must not block.
	Hedge func(job Job, p Placement) (after time.Duration, ok bool)
}

// Errors of Submit. ErrQueueFull, ErrStopped and ErrNobody are retryable. So is ErrDeadline when it
// comes with ErrNobody: no node was there for the job until then. The others are final for the job.
// ErrBusy, ErrLook and ErrRepeat are for Choosers and Runners; Submit never returns them.
// and never come out of Submit.
var (
	ErrConfig      = fault.Internal("matchmaker: a Chooser and a Runner are required")
	ErrNotAdmitted = fault.Internal("matchmaker: job was not admitted")
	ErrDuplicate   = fault.Final("duplicate_job", "matchmaker: job is already here")
	// ErrQueueFull: as many jobs wait for a node as may. Advice: await some of them, then dispatch again.
	ErrQueueFull = fault.Retryable("queue_full", "matchmaker: queue is full")
	ErrStopped   = fault.Final("kernel_closed", "matchmaker: stopped")
	ErrBusy      = fault.Retryable("all_busy", "matchmaker: every node is busy").Broad()
	// ErrRepeat is for Runners: the node is not at fault, the attempt does not count, and the job
	// has to be placed again.
	ErrRepeat    = fault.Internal("matchmaker: the job has to be sent again")
	ErrNobody    = fault.Internal("matchmaker: no node is there for the job")
	ErrLook      = fault.Internal("matchmaker: too little is known of the nodes")
	ErrDeadline  = fault.Retryable("deadline", "matchmaker: deadline has passed").Broad()
	ErrCancelled = fault.Final("cancelled", "matchmaker: cancelled").Broad()
	// ErrAttempts: each node that was tried, three at most, failed the job. Advice: the message has the last one's
	// reason; try again.
	ErrAttempts = fault.Retryable("all_attempts_failed", "matchmaker: no node could do the job")
	ErrPanic    = fault.Internal("matchmaker: a callee panicked")
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
	if c.NodeWait <= 0 {
		c.NodeWait = time.Minute
	}
	if c.StallTimeout <= 0 {
		c.StallTimeout = 30 * time.Second
	}
	return c, nil
}
