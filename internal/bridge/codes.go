package bridge

import (
	"inos/internal/capsule"
	"inos/internal/kernel"
	"inos/internal/library"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/supervisor"
	"inos/internal/threads/matchmaker"
)

// sentinels are the stable codes of the parts' errors, looked through in order:
// the more telling error first.
var sentinels = []struct {
	err  error
	code string
}{
	{scheduler.ErrNoCandidate, "no_candidate"},
	{scheduler.ErrBusy, "all_busy"},
	{scheduler.ErrRequest, "bad_requirements"},
	{supervisor.ErrNoCapsule, "unknown_capsule"},
	{supervisor.ErrBusy, "busy"},
	{capsule.ErrCID, "bad_cid"},
	{capsule.ErrNotWasm, "capsule_not_wasm"},
	{capsule.ErrUnknownImport, "capsule_unknown_import"},
	{capsule.ErrNoSharedMemory, "capsule_no_shared_memory"},
	{capsule.ErrNoControlBlock, "capsule_no_control_block"},
	{capsule.ErrNoRun, "capsule_no_run"},
	{capsule.ErrABIVersion, "capsule_abi_version"},
	{capsule.ErrUnknownMethod, "unknown_method"},
	{capsule.ErrBadInput, "bad_input"},
	{capsule.ErrRunFailed, "run_failed"},
	{capsule.ErrRunNoMemory, "no_memory"},
	{capsule.ErrPanicked, "capsule_panicked"},
	{capsule.ErrTrap, "capsule_trapped"},
	{capsule.ErrKilled, "capsule_killed"},
	{capsule.ErrRingBroken, "capsule_broke_ring"},
	{capsule.ErrProtocol, "capsule_broke_protocol"},
	{capsule.ErrStopped, "capsule_stopped"},
	{capsule.ErrDeadline, "deadline"},
	{capsule.ErrNotReady, "capsule_not_ready"},
	{library.ErrUnknown, "unknown_capsule"},
	{library.ErrMismatch, "cid_mismatch"},
	{library.ErrFull, "library_full"},
	{kernel.ErrInput, "bad_input"},
	{kernel.ErrDuplicate, "duplicate_job"},
	{kernel.ErrResult, "wrong_result"},
	{kernel.ErrReplicas, "too_few_nodes"},
	{kernel.ErrDisputed, "disputed"},
	{kernel.ErrNoMesh, "not_joined"},
	{kernel.ErrBootstrap, "bootstrap_unreachable"},
	{kernel.ErrStopped, CodeKernelClosed},
	{matchmaker.ErrDeadline, CodeDeadline},
	{matchmaker.ErrCancelled, CodeCancelled},
	{matchmaker.ErrQueueFull, "queue_full"},
	{matchmaker.ErrBusy, "all_busy"},
	{matchmaker.ErrAttempts, "all_attempts_failed"},
	{mesh.ErrAddress, "bad_address"},
	{mesh.ErrCertificate, "certificate_mismatch"},
	{mesh.ErrSignature, "bad_signature"},
	{mesh.ErrProtocol, "protocol_violation"},
	{mesh.ErrNotFound, "not_found"},
	{mesh.ErrUnreachable, "unreachable"},
	{mesh.ErrTimeout, "timeout"},
	{mesh.ErrClosed, CodeKernelClosed},
}
