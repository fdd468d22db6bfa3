package bridge

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/kernel"
	"inos/internal/kernel/lifecycle"
	"inos/internal/kernel/quorum"
	"inos/internal/library"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/supervisor"
	"inos/internal/threads/matchmaker"
)

func TestVerdicts(t *testing.T) {
	job := func(code mesh.JobCode, reason string) error {
		return &matchmaker.JobError{Node: "n", Code: code, Reason: reason}
	}
	for _, c := range []struct {
		err   error
		code  string
		again bool
	}{
		{errClosed, "kernel_closed", false},
		{errTooManyCalls, "too_many_calls", true},
		{fmt.Errorf("wrapped: %w", kernel.ErrNoMesh), "not_joined", true},
		{credit.ErrLedgerRevoked, "ledger_revoked", false},
		{credit.ErrBusy, "busy", true},
		{fmt.Errorf("%w: 3 nodes known", scheduler.ErrNoCandidate), "no_candidate", true},
		{replyError(capsule.Reply{Code: capsule.Refused, Reason: "capsule_not_wasm"}), "capsule_not_wasm", false},
		{fmt.Errorf("%w: of hash", library.ErrMismatch), "cid_mismatch", false},
		{library.ErrFull, "library_full", true},
		{replyError(capsule.Reply{Code: capsule.Refused}), "refused", false},
		{replyError(capsule.Reply{Code: capsule.Refused, Reason: "busy"}), "busy", true},
		{replyError(capsule.Reply{Code: capsule.Crashed, Reason: "capsule_not_ready"}), "capsule_not_ready", true},
		{replyError(capsule.Reply{Code: capsule.Deadline}), "deadline", true},
		{capsule.ErrPanicked, "capsule_panicked", false},
		{&capsule.PanicError{Message: "src/lib.rs:3: oh"}, "capsule_panicked", false},
		{&capsule.RunError{Code: capsule.RunUnknownMethod}, "unknown_method", false},
		{job(mesh.JobFailed, "unknown_method"), "unknown_method", false},
		{job(mesh.JobCrashed, ""), "capsule_crashed", true},
		{job(mesh.JobFailed, "Robert'); DROP"), "run_failed", false},
		{job(mesh.JobFailed, "your_disk_is_broken"), "run_failed", false},
		{job(mesh.JobFailed, "kernel_closed"), "kernel_closed", false},
		{job(mesh.JobCode(99), ""), "remote", false},
		{replyError(capsule.Reply{Code: 99}), "remote", false},
		{replyError(capsule.Reply{Code: capsule.Refused, Reason: "pay_me"}), "refused", false},
		{&lifecycle.FeedError{Reason: "pay_me"}, "remote", false},
		{fmt.Errorf("%w: 3 tried, the last one: %w", matchmaker.ErrAttempts, job(mesh.JobCrashed, "")), "all_attempts_failed", true},
		{job(mesh.JobRejected, "ledger_unknown"), "ledger_unknown", false},
		{fmt.Errorf("%w: 2 tried, the last one: %w; then: %w", matchmaker.ErrAttempts, job(mesh.JobRejected, "policy"), scheduler.ErrNoCandidate), "all_attempts_failed", true},
		{fmt.Errorf("%w: %w: %w", matchmaker.ErrAttempts, mesh.ErrResult, scheduler.ErrNoCandidate), "wrong_result", false},
		{fmt.Errorf("%w: 3 answered; the last: %w", quorum.ErrDisputed, mesh.ErrResult), "disputed", false},
		{fmt.Errorf("%w: of n: %w: ?", mesh.ErrUnreachable, mesh.ErrLocalNetwork), "local_network_denied", true},
		{fmt.Errorf("%w; %w", kernel.ErrBootstrap, mesh.ErrCertificate), "bootstrap_unreachable", true},
		{fmt.Errorf("%w: %w", matchmaker.ErrDeadline, scheduler.ErrNoCandidate), "no_candidate", true},
		{fmt.Errorf("%w: %w", capsule.ErrKilled, supervisor.ErrStopped), "capsule_stopped", true},
		{fmt.Errorf("%w: %w", capsule.ErrImage, &capsule.ABIError{}), "capsule_abi_version", false},
		{fmt.Errorf("%w: %w", lifecycle.ErrDenied, governance.ErrCommandDenied), "command_denied", false},
		{kernel.ErrInput, "bad_input", false},
		{context.DeadlineExceeded, "deadline", true},
		{context.Canceled, "cancelled", false},
		{errors.New("?"), "internal", false},
	} {
		e := fault.Find(c.err)
		require.Equal(t, c.code, e.Code(), "%v", c.err)
		require.Equal(t, c.again, e.Retryable(), "%v", c.err)
	}
}
