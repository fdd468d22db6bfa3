package main

import (
	"context"
	"errors"
	"strings"

	"inos/internal/cli"
	"inos/internal/fault"
	"inos/internal/governance"
	"inos/internal/kernel"
	"inos/internal/kernel/quorum"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// The program's exit codes, as docs/node.md lists them. From exitRejected on they are
// those of inos job.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRejected    = 3   // governance said no, here or there
	exitNoCandidate = 4   // no node fits, or all are busy
	exitDeadline    = 5   // its time was over
	exitCapsule     = 6   // the capsule failed, crashed, or is none
	exitMesh        = 7   // no bootstrap node answered
	exitCredit      = 8   // it could not be paid, or its budget was used up
	exitDisputed    = 9   // the nodes do not agree
	exitInterrupted = 130 // by a signal
)

// exitCode is how the program ends after err.
func exitCode(err error) int {
	var usage *cli.UsageError
	var job *jobError
	switch {
	case errors.As(err, &job):
		return job.exit
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case err == nil || errors.Is(err, context.Canceled):
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}

// said is err as the program says it: a usage error names its command itself.
func said(err error) string {
	var usage *cli.UsageError
	if errors.As(err, &usage) {
		return err.Error()
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines { // some of it may be another node's
		lines[i] = mesh.Printable(line, maxLine)
	}
	return "inos: " + strings.Join(lines, "\n")
}

// maxLine is more than any error of this program's own has in a line, in bytes.
const maxLine = 8 << 10

// jobExits are looked through in order: the more telling error first.
var jobExits = []struct {
	err  error
	exit int
}{
	{errInterrupted, exitInterrupted},
	{kernel.ErrBootstrap, exitMesh},
	{quorum.ErrDisputed, exitDisputed},
	{governance.ErrLedgerExhausted, exitCredit},
	{governance.ErrLedgerRevoked, exitCredit},
	{governance.ErrLedgerUnknown, exitCredit},
	{quorum.ErrReplicas, exitNoCandidate},
	{scheduler.ErrNoCandidate, exitNoCandidate},
	{scheduler.ErrBusy, exitNoCandidate},
	{matchmaker.ErrBusy, exitNoCandidate},
	{matchmaker.ErrDeadline, exitDeadline},
	{context.DeadlineExceeded, exitDeadline},
}

// ends are the exit codes of the ends of a job on its node.
var ends = map[mesh.JobCode]int{
	mesh.JobRejected: exitRejected, mesh.JobBusy: exitNoCandidate, mesh.JobBadCapsule: exitCapsule, mesh.JobFailed: exitCapsule,
	mesh.JobCrashed: exitCapsule, mesh.JobDeadline: exitDeadline, mesh.JobCancelled: exitInterrupted, mesh.JobCreditExhausted: exitCredit,
}

// jobExit is the exit code for a job that ended with err.
func jobExit(err error) int {
	var there *matchmaker.JobError
	if errors.As(err, &there) && ends[there.Code] != 0 && !errors.Is(err, errInterrupted) {
		return ends[there.Code]
	}
	for _, known := range jobExits {
		if errors.Is(err, known.err) {
			return known.exit
		}
	}
	var rejected *governance.Rejection
	if errors.As(err, &rejected) {
		return exitRejected
	}
	if there == nil && fault.Among(err, func(e *fault.Error) bool { return e.Of("capsule") }) != nil {
		return exitCapsule // it was found to be none before it set out
	}
	return exitFailed
}
