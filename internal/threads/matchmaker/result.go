package matchmaker

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// Result is the outcome of a job and its attempts.
type Result struct {
	Placement Placement
	Outcome   mesh.JobOutcome
	Attempts  []Attempt     // in order; the last one decided the result
	Queued    time.Duration // total time without a node
}

// Attempt is one try on one node. Err is nil for the one that succeeded.
type Attempt struct {
	Node    identity.PeerID
	Score   float64
	Started time.Time
	Took    time.Duration
	Cost    uint64 // microcredits paid to the node, however the attempt ended
	Known   bool   // the node had done jobs before
	Err     error
}

// JobError says how a node ended a job that it could not do.
type JobError struct {
	Node    identity.PeerID
	Code    mesh.JobCode
	Reason  string // stable code; empty when Code is enough
	Message string
	Paid    bool // its budget ended it and has been paid: another node would charge it again
}

// NodeError makes an error of node's outcome out, which is not JobOK. A failed run is paid for the
// time it ran, and the job is tried elsewhere all the same.
func NodeError(node identity.PeerID, out mesh.JobOutcome) *JobError {
	return &JobError{Node: node, Code: out.Code, Reason: out.Reason, Message: out.Message,
		Paid: out.Code == mesh.JobCreditExhausted && len(out.Receipt) > 0}
}

func (e *JobError) Error() string {
	why := e.Reason
	if why == "" {
		why = e.Code.String()
	}
	s := fmt.Sprintf("matchmaker: %s ended the job: %s", e.Node, why)
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Fault returns the reason that the node gives, or else the fault of how it ended the job.
func (e *JobError) Fault() *fault.Error {
	return mesh.Heard(e.Reason, e.Code.Fault()).With(e.Retryable())
}

// Retryable reports whether the same job may succeed later.
func (e *JobError) Retryable() bool {
	switch e.Code {
	case mesh.JobBusy, mesh.JobUnknownCapsule, mesh.JobCrashed, mesh.JobInternal, mesh.JobCancelled:
		return true
	case mesh.JobCreditExhausted:
		// The node's disk is full, and it may have room again.
		return e.Reason == credit.ErrFailed.Code()
	}
	return false
}

// refusal reports whether the node did not do the job, or says that it cannot be done, which nobody
// else confirms.
func (e *JobError) refusal() bool {
	switch e.Code {
	case mesh.JobRejected, mesh.JobCreditExhausted, mesh.JobBadCapsule, mesh.JobFailed:
		return true
	}
	return false
}

// confirmed reports whether a gives the same failure of a run as another node before it; the
// failure then counts as the capsule's answer. One of the two nodes must have done jobs before, or
// no further node may be asked: two unproven nodes may belong to one owner.
func (t *ticket) confirmed(a answer) bool {
	now := saysFailed(a.err)
	if now == nil {
		return false
	}
	last := t.tried+1 >= t.atMost
	for _, other := range t.attempts {
		before := saysFailed(other.Err)
		if before != nil && before.Node != now.Node && (last || a.p.Known || other.Known) {
			return true
		}
	}
	return false
}

// saysFailed returns what a node says of a failed run, nil when err is something else.
func saysFailed(err error) *JobError {
	var said *JobError
	if errors.As(err, &said) && said.Code == mesh.JobFailed {
		return said
	}
	return nil
}

// allSayFailed reports whether every node that was tried says that the run failed.
func (t *ticket) allSayFailed() bool {
	return !slices.ContainsFunc(t.attempts, func(a Attempt) bool { return saysFailed(a.Err) == nil })
}

func isBusy(err error) bool {
	var job *JobError
	return errors.As(err, &job) && job.Code == mesh.JobBusy
}

// unsent reports whether err says that nothing left this node, so that there was no attempt.
func unsent(err error) bool { return errors.Is(err, mesh.ErrUnsent) }

// passing reports whether the node that failed with err may succeed the next time: it was lost with
// the job, had trouble of its own, or had no memory left for a job that it had begun.
func passing(err error) bool {
	var job *JobError
	if errors.As(err, &job) {
		return job.Code == mesh.JobCancelled || job.Code == mesh.JobInternal || job.Code == mesh.JobBusy
	}
	return errors.Is(err, mesh.ErrUnreachable) || errors.Is(err, mesh.ErrTimeout) || errors.Is(err, ErrSilent)
}

// finalHere are the errors of the mesh that no other node would answer differently.
var finalHere = []error{mesh.ErrClosed, mesh.ErrCancelled, mesh.ErrTooBig, mesh.ErrEncode}

// Final is an optional interface of a Runner's error. When Final returns true, no other node is
// tried.
type Final interface{ Final() bool }

// retryable reports whether another node may do better. What a node says of a job holds for that
// node alone: its policy, its credit line, its capsule runtime, its honesty. Running a job twice
// does no harm: a capsule sees its input and nothing else. Only a run that its budget ended is not
// tried again, since it has been paid.
func retryable(err error) bool {
	var says Final
	if errors.As(err, &says) {
		return !says.Final()
	}
	if errors.Is(err, ErrSilent) {
		return true
	}
	var job *JobError
	if errors.As(err, &job) {
		return !job.Paid
	}
	for _, final := range finalHere {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}
