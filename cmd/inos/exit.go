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

// The program's exit codes, as docs/node.md lists them. Those from exitRejected on are of inos job.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRejected    = 3   // governance rejected it, here or on a node
	exitNoCandidate = 4   // no node is suitable, or all are busy
	exitDeadline    = 5   // its time was over
	exitCapsule     = 6   // the capsule failed or crashed, or is not a capsule
	exitMesh        = 7   // no bootstrap node answered
	exitCredit      = 8   // it could not be paid, or its budget was used up
	exitDisputed    = 9   // the nodes do not agree
	exitInterrupted = 130 // by a signal
)

// exitCode is the program's exit code after err.
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

// said is the text that the program prints for err: a usage error names its command itself.
func said(err error) string {
	var usage *cli.UsageError
	if errors.As(err, &usage) {
		return err.Error()
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines { // some of it may come from another node
		lines[i] = mesh.Printable(line, maxLine)
	}
	return "inos: " + strings.Join(lines, "\n")
}

// maxLine is longer than any line of this program's own errors, in bytes.
const maxLine = 8 << 10

// jobExits are looked through in order, the more specific error first.
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

// ends are the exit codes of the codes that a job can end with on its node.
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
		return exitCapsule // it was found before the job was sent
	}
	return exitFailed
}
