package matchmaker

import (
	"context"
	"time"

	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// Chooser picks nodes and keeps account of their slots.
type Chooser interface {
	// Choose sets a slot of a node aside for as many of jobs as can have one, the
	// first ones first, and answers for each of them, in their order. It waits for
	// nothing but its own account of the nodes.
	Choose(ctx context.Context, jobs []Waiting) []Choice
	// Look is for a job whose Choice was ErrLook: it finds out what was missing, and
	// may block until ctx ends. The job is then chosen for again, at its old rank.
	Look(ctx context.Context, job Waiting)
	// Done returns the slot, once for every Placement, and tells how it went. A node
	// that answered JobBusy, or to which nothing could be sent (mesh.ErrUnsent), stays a
	// candidate of the job: the Chooser must know it as busy, or pass it over for a
	// while, from then on.
	Done(p Placement, out mesh.JobOutcome, err error)
}

// Runner hands a job over and waits for its end. When ctx ends it returns soon. It
// calls alive whenever the node reports something new of the job.
type Runner interface {
	Run(ctx context.Context, job Job, p Placement, alive func()) (mesh.JobOutcome, error)
}

// Job is what is queued: an admission, and whatever else its Chooser and its Runner need of
// the job. They get it back as it was submitted.
type Job interface {
	// Admitted is the same each time.
	Admitted() governance.Admitted
}

// Waiting is a job that wants a node.
type Waiting struct {
	Ctx     context.Context // the job's own: it ends with the job, and carries its trace
	Job     Job
	Attempt int               // counts from 1; what was not sent counts here, too
	Last    bool              // when the job fails once more it has failed
	Exclude []identity.PeerID // the nodes that have failed this job: never chosen
}

// Choice is a Placement, or why there is none: an Err that matches ErrBusy makes the
// job wait for the next Kick, with every other job of the same requirements, capsule,
// ledger, copies, exclusions and Apart; so does one that matches ErrNobody, unless a node
// has said that it will not have this job or cannot do it; one that matches ErrLook has
// Look called, and may match ErrNobody, too; any other is final for the job.
type Choice struct {
	Placement
	Err error
	// For says in a few words what a job waits for when Err makes it wait: "a free slot"
	// when empty. Apart keeps jobs in lines of their own that lack different things; it has
	// few values.
	For, Apart string
}

// Placement is a slot of a node set aside for a job.
type Placement struct {
	Node  identity.PeerID
	Score float64
	Price uint64 // microcredits a second, as the node was scored with
	Known bool   // it has done jobs before
	Own   bool   // it is this node itself
	Slot  any    // what the Chooser has set aside: its own type, which Runner and Done get back
}

// Config of a Matchmaker. Chooser and Runner are required; zero figures mean the
// defaults.
type Config struct {
	Chooser Chooser
	Runner  Runner
	Queue   int // jobs waiting at most; 0 means 1024
	InHand  int // jobs run, or looked for nodes for, at a time; 0 means 64
	// Attempts is how often one job may fail; 0 means 3. Busy nodes do not count, unless they have been
	// paid for what they had begun (others than this node itself), and neither do those to which nothing
	// could be sent.
	Attempts int
	// Step is what one level of priority is worth in waiting time; 0 means 100 ms. A
	// near deadline is worth up to one level more. Of the jobs that the same nodes
	// could run, one waits for those of a priority higher by d only that arrive within
	// (d+1)*Step after it: at most 256*Step, whatever else arrives. Besides them the
	// second copies and the replacements of silent nodes, at most one for each job in
	// hand, take a slot without waiting in line.
	Step time.Duration
	// Recheck is how often jobs that found every node busy try again even without
	// a Kick; 0 means 1 s.
	Recheck time.Duration
	// NodeWait is how long a job without a deadline waits while no node is there for it;
	// 0 means 1 min. One with a deadline waits until then.
	NodeWait time.Duration
	// StallTimeout is how long a node may have a job and report nothing new of it (its
	// Runner's alive) before another node gets the job, if one can have it; 0 means
	// 30 s. It is less when the job's deadline is near: an equal share of the time left
	// for each attempt left, but never below 3 s; and a second more for every 128 KiB
	// of input. An attempt that is the last one, or that nobody can take over, goes on;
	// so does a job for several nodes.
	StallTimeout time.Duration
	// Hedge says how long to wait for p's answer before a second copy of the job goes
	// to another node, or that none shall. nil: never. At most one second copy a job,
	// and at most an eighth of InHand of them at a time; both count as attempts. It
	// must not block.
	Hedge func(job Job, p Placement) (after time.Duration, ok bool)
}

// Errors of Submit. ErrQueueFull, ErrStopped and ErrNobody are retryable, and so is
// ErrDeadline when it comes with ErrNobody: until then no node was there for the job. The
// others are final for the job. ErrBusy, ErrLook and ErrRepeat are for Choosers and Runners
// and never come out of Submit.
var (
	ErrConfig      = fault.Internal("matchmaker: a Chooser and a Runner are required")
	ErrNotAdmitted = fault.Internal("matchmaker: job was not admitted")
	ErrDuplicate   = fault.Final("duplicate_job", "matchmaker: job is already here")
	// ErrQueueFull: as many jobs wait for a node as may. Advice: await some of them, then dispatch again.
	ErrQueueFull = fault.Retryable("queue_full", "matchmaker: queue is full")
	ErrStopped   = fault.Final("kernel_closed", "matchmaker: stopped")
	ErrBusy      = fault.Retryable("all_busy", "matchmaker: every node is busy").Broad()
	// ErrRepeat is a Runner's: the node is well and the attempt counts for nothing, but
	// the job has to be placed anew.
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
