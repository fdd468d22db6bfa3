package capsule

import "errors"

// coded are the stable names of this package's errors, as consoles and peers see
// them, the more telling first.
var coded = []struct {
	err       error
	code      string
	retryable bool
}{
	{ErrCID, "bad_cid", false},
	{ErrNotWasm, "capsule_not_wasm", false},
	{ErrCompile, "capsule_not_compiled", false},
	{ErrUnknownImport, "capsule_unknown_import", false},
	{ErrNoSharedMemory, "capsule_no_shared_memory", false},
	{ErrNoControlBlock, "capsule_no_control_block", false},
	{ErrNoRun, "capsule_no_run", false},
	{ErrABIVersion, "capsule_abi_version", false},
	{ErrImage, "bad_image", false},
	{ErrNoMemory, "node_memory", true},
	{ErrMemoryLimit, "capsule_memory_limit", false},
	{ErrArgs, "capsule_args", false},
	{ErrUnknownMethod, "unknown_method", false},
	{ErrBadInput, "bad_input", false},
	{ErrRunFailed, "run_failed", false},
	{ErrRunNoMemory, "no_memory", true},
	{ErrPanicked, "capsule_panicked", false},
	{ErrTrap, "capsule_trapped", false},
	{ErrKilled, "capsule_killed", true},
	{ErrRingBroken, "capsule_broke_ring", false},
	{ErrProtocol, "capsule_broke_protocol", false},
	{ErrStopped, "capsule_stopped", true},
	{ErrDeadline, "deadline", true},
	{ErrNotReady, "capsule_not_ready", true},
}

// Retryable reports whether a call that failed with code, as CodeOf gives it, may
// succeed later; false for a code that is none of this package's.
func Retryable(code string) bool {
	for _, known := range coded {
		if known.code == code {
			return known.retryable
		}
	}
	return false
}

// CodeOf is the stable name of err, and whether the same call may succeed later;
// "" when err is none of this package's.
func CodeOf(err error) (code string, retryable bool) {
	for _, known := range coded {
		if errors.Is(err, known.err) {
			return known.code, known.retryable
		}
	}
	return "", false
}
