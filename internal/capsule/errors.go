package capsule

import (
	"fmt"

	"inos/internal/fault"
)

// What Inspect and Runtime.Compile refuse. All are final for these bytes; the
// wrapping error says what was found instead.
var (
	// ErrNotWasm: the bytes are no WebAssembly module. Advice: build the capsule as [capsules/README.md](../capsules/README.md) says.
	ErrNotWasm = fault.Final("capsule_not_wasm", "capsule: not a WebAssembly module")
	// ErrCompile: the node's compiler refuses the module, or takes more time or memory than it may. Advice: make
	// the module smaller; the message says what was found: [capsules.md](capsules.md).
	ErrCompile = fault.Final("capsule_not_compiled", "capsule: compilation failed")
	// ErrUnknownImport: the module imports something other than the shared memory. Advice: build it with the SDK,
	// for the target that [capsules/README.md](../capsules/README.md) names.
	ErrUnknownImport = fault.Final("capsule_unknown_import", "capsule: imports something other than env.memory")
	// ErrNoSharedMemory: the module imports no shared memory with a maximum. Advice: link it as [capsules/README.md](../capsules/README.md)
	// says.
	ErrNoSharedMemory = fault.Final("capsule_no_shared_memory", "capsule: imports no shared memory with a maximum")
	// ErrNoControlBlock: the module has no control block of the kernel's. Advice: build it with the SDK.
	ErrNoControlBlock = fault.Final("capsule_no_control_block", "capsule: no control block")
	// ErrNoRun: the module does not export inos_run. Advice: build it with the SDK.
	ErrNoRun = fault.Final("capsule_no_run", "capsule: does not export inos_run")
)

// ErrNoMemory says that the node has no memory for an instance, or none for more of it.
// Retryable: with less, later, or on another node.
var ErrNoMemory = fault.Retryable("node_memory", "capsule: no memory left on the node")

// ErrABIVersion: the capsule was built for another version of the kernel's interface. Advice: build it with this
// version's SDK; the message names both.
var ErrABIVersion = fault.Final("capsule_abi_version", "capsule: ABI version not supported").Decisive()

// ABIError says that a capsule was built for another host.
type ABIError struct{ Capsule, Host uint32 }

func (e *ABIError) Error() string {
	return fmt.Sprintf("%v: the capsule speaks %d, this host %d", ErrABIVersion, e.Capsule, e.Host)
}

// Unwrap is ErrABIVersion.
func (e *ABIError) Unwrap() error { return ErrABIVersion }

// Errors of a capsule's memory and rings.
var (
	// ErrOutOfBounds says that an access lies outside the memory. Final for
	// this offset unless the memory grows.
	ErrOutOfBounds = fault.Internal("capsule: outside the memory")
	// ErrRingBroken: the capsule wrote an impossible head, tail or frame into its ring, and was killed. Advice:
	// repair the capsule: it writes where it must not.
	ErrRingBroken = fault.Final("capsule_broke_ring", "capsule: ring broken")
	// ErrRingFull is back-pressure: retry after the capsule has read.
	ErrRingFull = fault.Internal("capsule: ring full")
	// ErrFrameTooLarge says that a payload exceeds half its ring. Final.
	ErrFrameTooLarge = fault.Internal("capsule: frame too large for the ring")
)

// How a capsule ends. All are final for the instance.
var (
	// ErrKilled: the capsule was killed, by command, with its group or for its silence. Advice: spawn it again;
	// the message says why.
	ErrKilled = fault.Retryable("capsule_killed", "capsule: killed").Broad()
	// ErrTrap: the capsule did what WebAssembly forbids. Advice: repair the capsule; the message has the trap.
	ErrTrap = fault.Final("capsule_trapped", "capsule: trapped")
	// ErrStopped: the capsule's program has ended, or it was ended on purpose before it was up. Advice: spawn it
	// again, or wait until it has been restarted.
	ErrStopped = fault.Retryable("capsule_stopped", "capsule: stopped")
	// ErrProtocol: the capsule sent what it must not, and was killed. Advice: build it with this version's SDK.
	ErrProtocol = fault.Final("capsule_broke_protocol", "capsule: protocol violated")
	// ErrPanicked: the capsule panicked. Advice: repair the capsule; the message has the panic's place and text.
	ErrPanicked = fault.Final("capsule_panicked", "capsule: panicked")
)

// PanicError carries the text that a capsule's panic handler left behind, with
// the source location at its start.
type PanicError struct{ Message string }

func (e *PanicError) Error() string { return "capsule: panicked: " + e.Message }

// Unwrap is ErrPanicked and, since a panic ends in a trap, ErrTrap.
func (e *PanicError) Unwrap() []error { return []error{ErrPanicked, ErrTrap} }

// ErrDeadline says that a command was not answered in time. The capsule may
// still carry it out: retry only what is idempotent.
var ErrDeadline = fault.Retryable("deadline", "capsule: command not answered by its deadline").Broad()

// ErrInstantiate says that a compiled module did not start. Final for these bytes.
var ErrInstantiate = fault.Internal("capsule: instantiation failed")

// ErrImage: the snapshot is no image of a capsule's memory, or none of this module's. Advice: take another snapshot.
var ErrImage = fault.Final("bad_image", "capsule: bad image")

// ErrMemoryLimit: the capsule may not have the memory that its module needs to start. Advice: give it a larger
// limit, or run it where the policy allows one.
var ErrMemoryLimit = fault.Final("capsule_memory_limit", "capsule: memory limit too small")

// ErrNotReady: the capsule gave no first heartbeat in time. Advice: try again; if it is the same elsewhere, its
// start takes too long.
var ErrNotReady = fault.Retryable("capsule_not_ready", "capsule: no first heartbeat in time").Broad()

// How a run fails while its capsule lives. A RunError matches one of them; all
// but ErrRunNoMemory are final for this task.
var (
	// ErrUnknownMethod: the capsule has no such method. Advice: name one that it has.
	ErrUnknownMethod = fault.Final("unknown_method", "capsule: unknown method")
	// ErrBadInput: the input or an argument is not what the capsule takes, or the input is not what the job says
	// of it. Advice: correct what the message names.
	ErrBadInput = fault.Final("bad_input", "capsule: bad input")
	// ErrRunFailed: the capsule says that it failed. Advice: the message has its own words.
	ErrRunFailed = fault.Final("run_failed", "capsule: run failed")
	// ErrRunNoMemory: the capsule has no memory left for the run. Advice: give it a smaller input, or a larger
	// memory limit.
	ErrRunNoMemory = fault.Retryable("no_memory", "capsule: no memory for the run")
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
