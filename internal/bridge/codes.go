package bridge

import (
	"errors"

	"inos/internal/governance"
	"inos/internal/kernel"
	"inos/internal/kernel/quorum"
	"inos/internal/library"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/supervisor"
	"inos/internal/threads/matchmaker"
)

// Whether the same call may succeed later.
const (
	final     = false
	retryable = true
)

// sentinel is an error of a part with the stable code that scripts compare, and
// whether the same call may succeed later.
type sentinel struct {
	err       error
	code      string
	retryable bool
}

// sentinels are looked through in order: the more telling error first.
var sentinels = []sentinel{
	{mesh.ErrResult, "wrong_result", final},
	{matchmaker.ErrAttempts, "all_attempts_failed", retryable},
	{scheduler.ErrNoCandidate, "no_candidate", retryable},
	{quorum.ErrReplicas, "too_few_nodes", retryable},
	{scheduler.ErrBusy, "all_busy", retryable},
	{scheduler.ErrRequest, "bad_requirements", final},
	{governance.ErrPolicyInvalid, "policy_invalid", final},
	{governance.ErrPolicyStale, "policy_stale", final},
	{supervisor.ErrNoCapsule, "unknown_capsule", final},
	{supervisor.ErrBusy, "busy", retryable},
	{supervisor.ErrStopped, "capsule_stopped", retryable},
	{supervisor.ErrListeners, "too_many_listeners", retryable},
	{supervisor.ErrPaused, "capsule_paused", retryable},
	{supervisor.ErrCalls, CodeTooManyCalls, retryable},
	{library.ErrUnknown, "unknown_capsule", final},
	{library.ErrMismatch, "cid_mismatch", final},
	{library.ErrFull, "library_full", retryable},
	{library.ErrName, "bad_name", final},
	{library.ErrTaken, "name_taken", final},
	{kernel.ErrInput, "bad_input", final},
	{kernel.ErrDuplicate, "duplicate_job", final},
	{kernel.ErrNoJob, CodeUnknownJob, final},
	{quorum.ErrDisputed, "disputed", final},
	{kernel.ErrNoMesh, "not_joined", retryable},
	{mesh.ErrLocalNetwork, "local_network_denied", retryable},
	{kernel.ErrBootstrap, "bootstrap_unreachable", retryable},
	{kernel.ErrDenied, "denied", final},
	{kernel.ErrNoCapability, "capability_missing", final},
	{errors.ErrUnsupported, "unsupported", final},
	{kernel.ErrStopped, CodeKernelClosed, final},
	{matchmaker.ErrDeadline, CodeDeadline, retryable},
	{matchmaker.ErrCancelled, CodeCancelled, final},
	{matchmaker.ErrQueueFull, "queue_full", retryable},
	{matchmaker.ErrBusy, "all_busy", retryable},
	{mesh.ErrAddress, "bad_address", final},
	{mesh.ErrCertificate, "certificate_mismatch", final},
	{mesh.ErrSignature, "bad_signature", final},
	{mesh.ErrTooBig, "too_big", final},
	{mesh.ErrEncode, "not_encodable", final},
	{mesh.ErrProtocol, "protocol_violation", final},
	{mesh.ErrNotFound, "not_found", final},
	{mesh.ErrFeeds, "too_many_feeds", retryable},
	{mesh.ErrUnreachable, "unreachable", retryable},
	{mesh.ErrTimeout, "timeout", retryable},
	{mesh.ErrClosed, CodeKernelClosed, final},
}

// jobCodes name how a node ended a job when it gave no reason of its own.
var jobCodes = map[mesh.JobCode]string{
	mesh.JobRejected: "rejected", mesh.JobBusy: "node_busy", mesh.JobUnknownCapsule: "unknown_capsule",
	mesh.JobBadCapsule: "bad_capsule", mesh.JobFailed: "run_failed", mesh.JobCrashed: "capsule_crashed",
	mesh.JobDeadline: CodeDeadline, mesh.JobCancelled: CodeCancelled, mesh.JobInternal: "node_failed",
	mesh.JobCreditExhausted: "credit_exhausted",
}
