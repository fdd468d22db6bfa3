package sab

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"inos/internal/capsule"
	"inos/internal/fault"
)

// Errors of this package.
var (
	// ErrInstantiate says that the browser refused to instantiate a compiled
	// module, or that its start function trapped. Final for these bytes.
	ErrInstantiate = fmt.Errorf("capsule/sab: %w", capsule.ErrInstantiate)
	// ErrWorker says that a Worker did not start or broke. Retryable.
	ErrWorker = fault.Internal("capsule/sab: worker failed")
	// ErrLimit says that a memory limit is below what the module needs to
	// start. Final for this limit.
	ErrLimit = fmt.Errorf("capsule/sab: %w", capsule.ErrMemoryLimit)
	// ErrClosed says that the Runtime was closed. Final.
	ErrClosed = fault.Internal("capsule/sab: runtime closed")
)

var errGone = fmt.Errorf("%w: its memory was let go", capsule.ErrKilled)

// rest delivers at its end.
type rest chan struct{}

// instance is one Worker. The host's events write its fields before they close
// the channel that says so.
type instance struct {
	handle   int32
	control  uint32 // set before ready is closed
	err      error  // set before done is closed
	doorbell chan struct{}
	ready    chan struct{}
	done     chan struct{}
	gone     chan struct{}
	rested   rest
	resting  int32 // the handle of rested: the last events of one that is gone are still taken
	killed   atomic.Bool
}

func newInstance() *instance {
	in := &instance{
		doorbell: make(chan struct{}, 1),
		ready:    make(chan struct{}),
		done:     make(chan struct{}),
		gone:     make(chan struct{}),
		rested:   make(rest, 1),
	}
	in.handle = newHandle(in)
	in.resting = newHandle(in.rested)
	runtime.AddCleanup(in, func(h int32) { handles.Delete(h) }, in.resting)
	return in
}

func (in *instance) Memory() capsule.Memory    { return memory{in.handle} }
func (in *instance) Control() uint32           { return in.control }
func (in *instance) Doorbell() <-chan struct{} { return in.doorbell }
func (in *instance) Done() <-chan struct{}     { return in.done }

// Tired implements capsule.Yielder.
func (in *instance) Tired() bool { return hostTired() != 0 }

// Yield implements capsule.Yielder.
func (in *instance) Yield() <-chan struct{} {
	hostYield(in.resting)
	return in.rested
}

// Err is nil until Done is closed.
func (in *instance) Err() error {
	select {
	case <-in.done:
		return in.err
	default:
		return nil
	}
}

// Kill ends the instance or, when it has ended already, lets its memory go.
func (in *instance) Kill() {
	if in.killed.Swap(true) {
		return
	}
	select {
	case <-in.done:
		hostFree(in.handle)
	default:
		hostKill(in.handle)
	}
}

func (in *instance) isReady(control uint32) {
	in.control = control
	close(in.ready)
}

func (in *instance) rang() {
	select {
	case in.doorbell <- struct{}{}:
	default: // a ring is already waiting to be heard
	}
}

func (in *instance) ended(how ending) {
	in.err = in.reason(how)
	// What the capsule wrote last is still to be read.
	in.rang()
	close(in.done)
	if in.killed.Load() {
		hostFree(in.handle)
	}
}

func (in *instance) isGone() { close(in.gone) }

func (in *instance) reason(how ending) error {
	said := text(in.handle)
	switch how {
	case endStopped:
		return nil
	case endKilled:
		if said != "" {
			return fmt.Errorf("%w: %s", capsule.ErrKilled, said)
		}
		return capsule.ErrKilled
	case endRefused:
		return fmt.Errorf("%w: %s", ErrInstantiate, said)
	case endWorker:
		return fmt.Errorf("%w: %w: %s", capsule.ErrTrap, ErrWorker, said)
	}
	if state, err := in.Memory().Load32(in.control + capsule.OffState); err == nil && state == capsule.StatePanicked {
		return &capsule.PanicError{Message: said}
	}
	return fmt.Errorf("%w: %s", capsule.ErrTrap, said)
}
