package bridge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/kernel"
	"inos/internal/library"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// inSource finds the first group of pattern in the Go files of a package.
func inSource(t *testing.T, dir, pattern string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	require.NoError(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(b, -1) {
			found = append(found, string(m[1]))
		}
	}
	require.NotEmpty(t, found, dir)
	return found
}

// web/codes.d.ts lists every code that the kernel gives, and no other.
func TestCodesAreDeclared(t *testing.T) {
	given := []string{CodeJavaScript, CodeDeadline, CodeCancelled, CodeInternal, mesh.Remote, "draining", "input_mismatch", "requirements"}
	for _, s := range sentinels {
		given = append(given, s.code)
	}
	for _, code := range jobCodes {
		given = append(given, code)
	}
	given = append(given, replyCodes[capsule.OK+1:]...)
	given = append(given, inSource(t, "capsule", `\{Err\w+, "([a-z_]+)", `)...)
	given = append(given, inSource(t, "governance", `\b(?:dna|pay|rule)\("([a-z_]+)", "`)...)
	given = append(given, inSource(t, "credit", `Error\{code: "([a-z_]+)"`)...)

	b, err := os.ReadFile("../../web/codes.d.ts")
	require.NoError(t, err)
	block := regexp.MustCompile(`(?s)export type KernelErrorCode =(.*?);\n`).FindSubmatch(b)
	require.NotNil(t, block)
	shell := regexp.MustCompile(`(?s)export type InosErrorCode =(.*?);\n`).FindSubmatch(b)
	require.NotNil(t, shell)
	codes := func(block []byte) (out []string) {
		for _, m := range regexp.MustCompile(`'([a-z_]+)'`).FindAllSubmatch(block, -1) {
			out = append(out, string(m[1]))
		}
		return out
	}
	declared := codes(block[1])
	require.Equal(t, slices.Compact(slices.Sorted(slices.Values(declared))), declared, "sorted, each once")
	shells := codes(shell[1])
	given = slices.DeleteFunc(given, func(c string) bool { return slices.Contains(shells, c) })
	require.Equal(t, slices.Compact(slices.Sorted(slices.Values(given))), declared)

	require.Equal(t, slices.DeleteFunc(declared, func(c string) bool { return c == mesh.Remote }), knownCodes)
}

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
		{&kernel.FeedError{Reason: "pay_me"}, "remote", false},
		{fmt.Errorf("%w: 3 tried, the last one: %w", matchmaker.ErrAttempts, job(mesh.JobCrashed, "")), "all_attempts_failed", true},
		{job(mesh.JobRejected, "ledger_unknown"), "ledger_unknown", false},
		{fmt.Errorf("%w: 2 tried, the last one: %w; then: %w", matchmaker.ErrAttempts, job(mesh.JobRejected, "policy"), scheduler.ErrNoCandidate), "all_attempts_failed", true},
		{fmt.Errorf("%w: %w: %w", matchmaker.ErrAttempts, mesh.ErrResult, scheduler.ErrNoCandidate), "wrong_result", false},
		{context.DeadlineExceeded, "deadline", true},
		{context.Canceled, "cancelled", false},
		{errors.New("?"), "internal", false},
	} {
		code, again := verdict(c.err)
		require.Equal(t, c.code, code, "%v", c.err)
		require.Equal(t, c.again, again, "%v", c.err)
	}
	require.Equal(t, "quiet_hours", codeOf(&governance.Rejection{Code: "quiet_hours"}))
}
