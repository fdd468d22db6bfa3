package supervisor

import (
	"context"
	"fmt"
	"time"

	"inos/internal/fault"
)

// Errors of this package.
var (
	// ErrBusy: every slot of the node has a capsule with work to do, or as much waits as may. Advice: try again
	// later, or elsewhere.
	ErrBusy = fault.Retryable("busy", "supervisor: no free slot")
	// ErrNoCapsule: there is no such capsule, or it has ended. Advice: publish or spawn it, or correct its name,
	// CID or id.
	ErrNoCapsule = fault.Final("unknown_capsule", "supervisor: no such capsule")
	// ErrNotServing says that Serve has ended. It is retryable once Serve runs again. A start
	// before Serve first begins waits for it instead.
	ErrNotServing = fault.Internal("supervisor: not serving")
	// ErrTransition is what every TransitionError matches. Final for this state.
	ErrTransition = fault.Internal("supervisor: impossible transition")
	// ErrNoHeartbeat says that a capsule was silent for too long and was killed.
	ErrNoHeartbeat = fault.Internal("supervisor: no heartbeat")
	// ErrRestartIntensity says that a capsule, or its group, died too often.
	ErrRestartIntensity = fault.Internal("supervisor: too many restarts")
	// ErrTimeLimit is what every TimeLimitError matches. Final for this task and
	// limit.
	ErrTimeLimit = fault.Retryable("deadline", "supervisor: time limit passed")
	// ErrWrongBytes says that the bytes of a capsule are not those of its CID.
	// Final for these bytes.
	ErrWrongBytes = fault.Final("cid_mismatch", "supervisor: bytes do not match the CID")
	// ErrConfig says which configuration of New or parameter of a command is wrong. Final.
	ErrConfig = fault.Internal("supervisor: bad configuration")
	// ErrStopped says that the capsule was ended on purpose before it was up.
	ErrStopped = fault.Retryable("capsule_stopped", "supervisor: capsule stopped")
	// ErrPauseOverdue says that a capsule was killed because it did not pause in time.
	ErrPauseOverdue = fault.Internal("supervisor: not paused in time")
	// ErrListeners: the capsule has as many listeners as it may. Advice: end one of them first.
	ErrListeners = fault.Retryable("too_many_listeners", "supervisor: too many listeners")
)

// errLeaving is the ErrBusy that passes by itself: slots are free, but too many capsules that have
// ended still have threads.
var errLeaving = fmt.Errorf("%w", ErrBusy)

// TimeLimitError says that a run exceeded its time limit. It matches ErrTimeLimit and
// context.DeadlineExceeded.
type TimeLimitError struct{ Limit time.Duration }

func (e *TimeLimitError) Error() string { return fmt.Sprintf("%v: %v", ErrTimeLimit, e.Limit) }

// Fault is ErrTimeLimit.
func (e *TimeLimitError) Fault() *fault.Error { return ErrTimeLimit }

// Is reports whether target is ErrTimeLimit or context.DeadlineExceeded.
func (e *TimeLimitError) Is(target error) bool {
	return target == ErrTimeLimit || target == context.DeadlineExceeded
}
