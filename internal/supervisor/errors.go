package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of this package.
var (
	// ErrBusy says that every slot has a capsule with work to do. Retryable later.
	ErrBusy = errors.New("supervisor: no free slot")
	// ErrNoCapsule: no live capsule has that id. Final.
	ErrNoCapsule = errors.New("supervisor: no such capsule")
	// ErrNotServing says that Serve has ended. What starts a capsule before Serve
	// first begins waits for it. Retryable once it runs again.
	ErrNotServing = errors.New("supervisor: not serving")
	// ErrTransition is what every TransitionError matches. Final for this state.
	ErrTransition = errors.New("supervisor: impossible transition")
	// ErrNoHeartbeat says that a capsule was silent for too long and was killed.
	ErrNoHeartbeat = errors.New("supervisor: no heartbeat")
	// ErrRestartIntensity says that a capsule, or its group, died too often.
	ErrRestartIntensity = errors.New("supervisor: too many restarts")
	// ErrTimeLimit is what every TimeLimitError matches. Final for this task and
	// limit.
	ErrTimeLimit = errors.New("supervisor: time limit passed")
	// ErrWrongBytes says that the bytes of a capsule are not those of its CID.
	// Final for these bytes.
	ErrWrongBytes = errors.New("supervisor: bytes do not match the CID")
	// ErrConfig says what New or a command was given wrongly. Final.
	ErrConfig = errors.New("supervisor: bad configuration")
	// ErrStopped says that the capsule was ended on purpose before it was up.
	ErrStopped = errors.New("supervisor: capsule stopped")
	// ErrPauseOverdue says that a capsule was killed because it did not pause in time.
	ErrPauseOverdue = errors.New("supervisor: not paused in time")
	// ErrListeners says that a capsule has as many listeners as it may. Retryable.
	ErrListeners = errors.New("supervisor: too many listeners")
)

// errLeaving is the ErrBusy that passes by itself: slots are free, but too many threads of
// capsules that have ended are not gone.
var errLeaving = fmt.Errorf("%w", ErrBusy)

// TimeLimitError says that a run took longer than it may. It matches
// ErrTimeLimit and context.DeadlineExceeded.
type TimeLimitError struct{ Limit time.Duration }

func (e *TimeLimitError) Error() string { return fmt.Sprintf("%v: %v", ErrTimeLimit, e.Limit) }

// Is reports whether target is ErrTimeLimit or context.DeadlineExceeded.
func (e *TimeLimitError) Is(target error) bool {
	return target == ErrTimeLimit || target == context.DeadlineExceeded
}
