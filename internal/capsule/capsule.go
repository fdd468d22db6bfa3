package capsule

import (
	"fmt"
	"sync"
	"time"

	"inos/internal/fault"
)

// Capsule is one live instance. One pump goroutine owns its rings; every method
// may be called from any goroutine. When it dies, whatever is pending is
// answered with the reason.
type Capsule struct {
	cfg  Config
	born time.Time // of its clock
	info ModuleInfo
	inst Instance
	mem  Memory
	cb   *ControlBlock // commands: with mu held; events: with hearing held; the rest are constants

	taskSlots    chan struct{}
	commandSlots chan struct{}
	wake         chan struct{} // the outbox has something, or the pump must look
	dead         chan struct{} // closed by fail: nothing will be answered any more
	ready        chan struct{} // closed at the first heartbeat
	done         chan struct{} // closed when the instance and the pump have ended
	turned       chan struct{} // the pump has looked at the capsule
	snapshotting chan struct{} // holds one element while an image is taken

	hearing sync.Mutex // held while events are taken; taken before mu

	// The pump's own.
	limits messageLimits
	tired  bool // it must pause

	mu            sync.Mutex
	err           error // set once, before dead is closed
	failed        bool
	epoch         uint32
	outbox        []frame
	tasks         map[uint64]*task
	commands      map[string]chan Reply
	ticket        uint64
	serial        uint64
	clock         time.Time // when flushAt set the capsule's clock last
	held          bool      // nothing goes into the command ring
	freezes       uint32    // number of the last freeze request
	last          Heartbeat
	isReady       bool
	spinForAnswer spinner // of commands and reservations
	spinForRun    spinner // of jobs
}

// ID is Config.ID.
func (c *Capsule) ID() string { return c.cfg.ID }

// Info describes the module.
func (c *Capsule) Info() ModuleInfo { return c.info }

// MemoryLimit is the most memory the capsule may ever have, in bytes.
func (c *Capsule) MemoryLimit() uint64 { return c.cfg.MemoryLimit }

// MemoryBytes is the memory's present length.
func (c *Capsule) MemoryBytes() uint64 { return c.mem.Len() }

// Epoch is the present memory epoch: it counts up with every resize.
func (c *Capsule) Epoch() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// LastHeartbeat is the newest heartbeat.
func (c *Capsule) LastHeartbeat() Heartbeat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Pending is how many Run calls are at work in the capsule.
func (c *Capsule) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.tasks)
}

// Kill ends the capsule: it sets the kill word, then ends its thread. Everything pending is
// answered at once with an error that matches ErrKilled and cause, which may be nil. It is
// idempotent and does not block; Done reports the end.
func (c *Capsule) Kill(cause error) {
	if cause == nil {
		cause = errNoReason
	}
	c.fail(fmt.Errorf("%w: %w", ErrKilled, cause))
}

var errNoReason = fault.Internal("no reason given")

// Ending is closed as soon as the capsule will answer nothing any more: it was
// killed, has crashed or has returned. Done follows once its thread has ended,
// which can take a browser seconds.
func (c *Capsule) Ending() <-chan struct{} { return c.dead }

// Done is closed when the instance runs no more and nothing is pending.
func (c *Capsule) Done() <-chan struct{} { return c.done }

// Err says, once Done is closed, how the capsule ended: nil for a clean end, or
// an error that matches ErrKilled, ErrPanicked, ErrTrap, ErrRingBroken or
// ErrProtocol. Before that it is nil.
func (c *Capsule) Err() error {
	select {
	case <-c.done:
	default:
		return nil
	}
	if err := c.reason(); err != ErrStopped {
		return err
	}
	return nil
}

// reason returns why nothing is answered any more; nil while the capsule lives.
func (c *Capsule) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends the capsule because of err; only the first one counts.
func (c *Capsule) fail(err error) {
	c.mu.Lock()
	if c.failed {
		c.mu.Unlock()
		return
	}
	c.failed, c.err = true, err
	c.outbox = nil
	clear(c.tasks)
	clear(c.commands)
	close(c.dead)
	c.mu.Unlock()
	c.inst.Kill()
}
