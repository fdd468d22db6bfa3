package mesh

import (
	"fmt"
	"strings"

	"inos/internal/capsule"
	"inos/internal/fault"
)

// ErrResult: a node's result does not hold what it claims: its bytes do not match their CID, its receipt is wrong,
// or others agree on another. Advice: dispatch the job again, or to several nodes that must agree.
var ErrResult = fault.Final("wrong_result", "mesh: node returned a wrong result").Decisive()

// CheckOutput compares the output with its CID. Errors match ErrResult.
func (o *JobOutcome) CheckOutput() error {
	if got := capsule.SumCID(o.Output).String(); got != o.OutputCID {
		return fmt.Errorf("%w: output is %s, not %s", ErrResult, got, o.OutputCID)
	}
	return nil
}

// Claims reports whether the node claims money: for a result, or for the time of a run that ended
// without one. A node that refused the job, or could not get its capsule, has run nothing.
func (o *JobOutcome) Claims() bool {
	switch o.Code {
	case JobOK:
		return true
	case JobRejected, JobUnknownCapsule:
		return false
	}
	return len(o.Receipt) > 0
}

// maxFailure is how many bytes of a capsule's failure message travel: a message must not serve to
// carry a result.
const maxFailure = 512

// ShortMessage returns the part of s that an outcome may carry.
func ShortMessage(s string) string {
	if len(s) <= maxFailure {
		return s
	}
	return strings.ToValidUTF8(s[:maxFailure], "") + "…"
}
