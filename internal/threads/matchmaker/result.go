package matchmaker

import (
	"errors"
	"fmt"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// Result is the end of a job and the way there.
type Result struct {
	Placement Placement
	Outcome   mesh.JobOutcome
	Attempts  []Attempt // in order; the last one decided
	Queued    time.Duration
}

// Attempt is one try on one node. Err is nil for the one that succeeded.
type Attempt struct {
	Node    identity.PeerID
	Score   float64
	Started time.Time
	Took    time.Duration
	Err     error
}

// JobError says how a node ended a job it could not do.
type JobError struct {
	Node    identity.PeerID
	Code    mesh.JobCode
	Reason  string // stable code; empty when Code says it all
	Message string
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

// Retryable reports whether another node may do better. Running a job twice
// does no harm: a capsule sees its input and nothing else.
func (e *JobError) Retryable() bool {
	switch e.Code {
	case mesh.JobBusy, mesh.JobUnknownCapsule, mesh.JobCrashed, mesh.JobInternal, mesh.JobCancelled:
		return true
	}
	return false
}

// finalHere are the mesh's errors that no other node would answer differently.
var finalHere = []error{mesh.ErrClosed, mesh.ErrCancelled}

// Final is what an error of a Runner may be: when it says so, no other node is tried.
type Final interface{ Final() bool }

func retryable(err error) bool {
	var says Final
	if errors.As(err, &says) {
		return !says.Final()
	}
	var job *JobError
	if errors.As(err, &job) {
		return job.Retryable()
	}
	for _, final := range finalHere {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}
