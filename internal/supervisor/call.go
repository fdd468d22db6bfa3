package supervisor

import (
	"context"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/fault"
)

// callsWaiting is how many calls of one capsule may wait for the current one.
const callsWaiting = 64

var (
	// ErrPaused: a paused capsule takes no calls. Advice: resume it.
	ErrPaused = fault.Retryable("capsule_paused", "supervisor: the capsule is paused")
	// ErrCalls: as many calls of this verb, or of this capsule, wait as may. Advice: await some of them first:
	// [console.md](console.md#many-calls-at-once).
	ErrCalls = fault.Retryable("too_many_calls", "supervisor: too many calls of one capsule")
)

// Call runs task on the spawned capsule called id. The task finds the state that the spawner and
// earlier calls left, and leaves its own for the next call. Calls of one capsule run one after
// another in the order they came; at most callsWaiting wait for their turn. Call blocks until it
// has the output, which the caller owns. limit is for the task itself; 0 means the capsule's own.
// onProgress may be nil and must not block. The caller decides who may call. Errors match
// ErrNoCapsule, ErrCalls, ErrPaused (and ErrTransition), ErrStopped between two instances of the
// capsule, capsule.ErrKilled when it is killed before the call's turn, ErrTimeLimit, those of
// capsule.Capsule.Run, or ctx's. A task that ctx or the limit ends must stop within
// Config.CancelGrace, or the instance is killed.
// limit ends must let go within Config.CancelGrace, or the instance is killed.
func (s *Supervisor) Call(ctx context.Context, id string, limit time.Duration, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error) {
	ch, err := s.awaitCall(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := s.begin(ch)
	if err != nil {
		<-ch.turn
		return nil, err
	}
	defer s.end(ch, c)
	return perform(ctx, c, least(limit, ch.timeLimit), task, onProgress)
}

// awaitCall waits for a call's turn at the capsule called id.
func (s *Supervisor) awaitCall(ctx context.Context, id string) (*child, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.live[id]
	switch {
	case ch == nil || ch.forJob: // the instance of a Run takes no calls
		return nil, fmt.Errorf("%w: %.80q", ErrNoCapsule, id)
	case ch.calls >= callsWaiting:
		return nil, fmt.Errorf("%w: %d wait for %s", ErrCalls, ch.calls, id)
	}
	ch.calls++
	s.mu.Unlock()
	var err error
	gone := false
	select {
	case ch.turn <- struct{}{}:
	case <-ch.gone:
		gone = true
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.mu.Lock()
	ch.calls--
	if gone {
		err = ch.closed()
	}
	return ch, err
}

// closed returns why ch takes no call. The caller holds mu.
func (ch *child) closed() error {
	if ch.stopping {
		return fmt.Errorf("%w: %s", capsule.ErrKilled, ch.stopReason) // as the call under way ends
	}
	return ErrStopped
}

// begin records that a task runs on ch. The caller has ch's turn.
func (s *Supervisor) begin(ch *child) (*capsule.Capsule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ch.cap == nil || ch.stopping || ch.redo || ch.ending():
		return nil, ch.closed()
	case ch.state == Paused:
		return nil, fmt.Errorf("%w: %w", ErrPaused, &TransitionError{From: ch.state.String(), Change: "call"})
	case ch.state != Healthy && ch.state != Degraded:
		return nil, &TransitionError{From: ch.state.String(), Change: "call"}
	}
	ch.jobs = 1
	return ch.cap, nil
}

// end passes the turn on once the capsule has ended the task.
func (s *Supervisor) end(ch *child, c *capsule.Capsule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.cap != c {
		return // it has died, and its successor has no task
	}
	now := time.Now()
	ch.drainBy = now.Add(s.cfg.CancelGrace)
	ch.settle()
}
