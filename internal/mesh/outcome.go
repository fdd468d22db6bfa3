package mesh

import (
	"errors"
	"fmt"

	"inos/internal/capsule"
)

// ErrResult: a node's result does not hold what it claims. The bytes do not match their
// CID, the receipt is wrong, or other nodes agree on another output. Another node is tried.
var ErrResult = errors.New("mesh: node returned a wrong result")

// CheckOutput compares the output with its CID. Errors match ErrResult.
func (o *JobOutcome) CheckOutput() error {
	if got := capsule.SumCID(o.Output).String(); got != o.OutputCID {
		return fmt.Errorf("%w: output is %s, not %s", ErrResult, got, o.OutputCID)
	}
	return nil
}

// Claims reports whether the node claims money: for a result, or for the time of a run that
// ended without one. A node that refused the job, or could not have its capsule, has run
// nothing.
func (o *JobOutcome) Claims() bool {
	switch o.Code {
	case JobOK:
		return true
	case JobRejected, JobUnknownCapsule:
		return false
	}
	return len(o.Receipt) > 0
}
