package capsule

import (
	"errors"
	"fmt"
)

// What Inspect and Runtime.Compile refuse. All are final for these bytes; the
// wrapping error says what was found instead.
var (
	ErrNotWasm = errors.New("capsule: not a WebAssembly module")
	// ErrCompile says that a runtime cannot compile the module, or not within its limits.
	ErrCompile        = errors.New("capsule: compilation failed")
	ErrUnknownImport  = errors.New("capsule: imports something other than env.memory")
	ErrNoSharedMemory = errors.New("capsule: imports no shared memory with a maximum")
	ErrNoControlBlock = errors.New("capsule: no control block")
	ErrNoRun          = errors.New("capsule: does not export inos_run")
)

// ErrNoMemory says that the node has no memory for an instance, or none for more of it.
// Retryable: with less, later, or on another node.
var ErrNoMemory = errors.New("capsule: no memory left on the node")

// ErrABIVersion is what every ABIError matches. Final for these bytes.
var ErrABIVersion = errors.New("capsule: ABI version not supported")

// ABIError says that a capsule was built for another host.
type ABIError struct{ Capsule, Host uint32 }

func (e *ABIError) Error() string {
	return fmt.Sprintf("%v: the capsule speaks %d, this host %d", ErrABIVersion, e.Capsule, e.Host)
}

// Is reports whether target is ErrABIVersion.
func (e *ABIError) Is(target error) bool { return target == ErrABIVersion }

// Errors of a capsule's memory and rings.
var (
	// ErrOutOfBounds says that an access lies outside the memory. Final for
	// this offset unless the memory grows.
	ErrOutOfBounds = errors.New("capsule: outside the memory")
	// ErrRingBroken says that a capsule wrote an impossible head, tail or
	// frame. Final for the instance, which is killed.
	ErrRingBroken = errors.New("capsule: ring broken")
	// ErrRingFull is back-pressure: retry after the capsule has read.
	ErrRingFull = errors.New("capsule: ring full")
	// ErrFrameTooLarge says that a payload exceeds half its ring. Final.
	ErrFrameTooLarge = errors.New("capsule: frame too large for the ring")
)

// How a capsule ends. All are final for the instance.
var (
	ErrKilled = errors.New("capsule: killed")
	ErrTrap   = errors.New("capsule: trapped")
	// ErrStopped answers what was pending when inos_run returned by itself.
	ErrStopped = errors.New("capsule: stopped")
	// ErrProtocol says that a capsule sent what it must not. It is killed.
	ErrProtocol = errors.New("capsule: protocol violated")
	// ErrPanicked is what every PanicError matches.
	ErrPanicked = errors.New("capsule: panicked")
)

// PanicError carries the text that a capsule's panic handler left behind, with
// the source location at its start.
type PanicError struct{ Message string }

func (e *PanicError) Error() string { return "capsule: panicked: " + e.Message }

// Is reports whether target is ErrPanicked or, since a panic ends in a trap,
// ErrTrap.
func (e *PanicError) Is(target error) bool { return target == ErrPanicked || target == ErrTrap }

// ErrDeadline says that a command was not answered in time. The capsule may
// still carry it out: retry only what is idempotent.
var ErrDeadline = errors.New("capsule: command not answered by its deadline")

// ErrInstantiate says that a compiled module did not start. Final for these bytes.
var ErrInstantiate = errors.New("capsule: instantiation failed")

// ErrImage says that bytes are no image of a capsule's memory, or none of this
// module's. Final for them.
var ErrImage = errors.New("capsule: bad image")

// ErrMemoryLimit says that a capsule may not have the memory that its module needs to
// start. Final for this limit.
var ErrMemoryLimit = errors.New("capsule: memory limit too small")

// ErrNotReady says that no first heartbeat came in time. Retryable.
var ErrNotReady = errors.New("capsule: no first heartbeat in time")

// How a run fails while its capsule lives. A RunError matches one of them; all
// but ErrRunNoMemory are final for this task.
var (
	ErrUnknownMethod = errors.New("capsule: unknown method")
	ErrBadInput      = errors.New("capsule: bad input")
	ErrRunFailed     = errors.New("capsule: run failed")
	ErrRunNoMemory   = errors.New("capsule: no memory for the run")
)

// RunError is the capsule's own answer that a task failed.
type RunError struct {
	Code    RunCode
	Message string
}

func (e *RunError) Error() string {
	if e.Message == "" {
		return e.Unwrap().Error()
	}
	return e.Unwrap().Error() + ": " + e.Message
}

// Unwrap is the sentinel of e.Code.
func (e *RunError) Unwrap() error {
	switch e.Code {
	case RunUnknownMethod:
		return ErrUnknownMethod
	case RunBadInput:
		return ErrBadInput
	case RunNoMemory:
		return ErrRunNoMemory
	default:
		return ErrRunFailed
	}
}
