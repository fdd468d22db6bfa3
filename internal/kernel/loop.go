package kernel

import (
	"context"
	"time"

	"inos/internal/fault"
)

// mailbox is how many messages may wait for the loop; further senders block.
const mailbox = 256

var (
	// ErrStopped: the kernel is closed. Advice: reload the page, or start the node again.
	ErrStopped = fault.Final("kernel_closed", "kernel: stopped")
	// ErrPanicked: the kernel itself failed at this request, and nothing of its result is reliable.
	// The loop is started again on the state as it is. Final.
	ErrPanicked = fault.Internal("kernel: internal failure")
)

// message changes or reads the state. It runs on the loop and must not block.
type message func(s *state)

// eventLoop owns the state: no other code touches it.
//
// A message that panics ends Serve, and the supervisor starts it again on the same state. Jobs and
// nodes are kept, and so is what the message had changed before it panicked. At worst a slot or a
// job's id stays taken until the node starts again. The caller gets ErrPanicked; a ServiceFailed
// event has the panic itself. When it happens too often the supervisor backs off, and messages wait
// as long.
type eventLoop struct {
	mail    chan message
	stopped chan struct{} // closed when Run returns
	state   *state
}

// String names the service to its supervisor.
func (*eventLoop) String() string { return "kernel loop" }

// Serve runs messages one after the other until ctx ends.
func (l *eventLoop) Serve(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case m := <-l.mail:
			m(l.state)
		case now := <-tick.C:
			l.state.tick(now)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tell queues m; it blocks while the mailbox is full.
func (l *eventLoop) tell(ctx context.Context, m message) error {
	select {
	case l.mail <- m:
		return nil
	case <-l.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask runs m on the loop and waits for it. m writes to variables of the caller: once m is queued
// only the kernel's end stops the waiting. Errors match ErrStopped, ErrPanicked, or are ctx's.
func (l *eventLoop) ask(ctx context.Context, m message) error {
	ended := make(chan error, 1)
	if err := l.tell(ctx, func(s *state) {
		var err error = ErrPanicked
		defer func() { ended <- err }() // also when m panics
		m(s)
		err = nil
	}); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return err
	case <-l.stopped:
		select {
		case err := <-ended:
			return err
		default:
			return ErrStopped
		}
	}
}
