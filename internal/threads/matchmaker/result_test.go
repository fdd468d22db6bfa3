package matchmaker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
)

// A job whose payment a node could not write down may succeed later; one that its ledger
// does not cover may not.
func TestAFullDiskIsNoLackOfCredit(t *testing.T) {
	require.True(t, (&JobError{Code: mesh.JobCreditExhausted, Reason: "log_failed"}).Retryable())
	require.False(t, (&JobError{Code: mesh.JobCreditExhausted, Reason: "ledger_exhausted"}).Retryable())
	require.False(t, (&JobError{Code: mesh.JobCreditExhausted}).Retryable())
}
