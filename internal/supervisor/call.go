package supervisor

import (
	"context"
	"fmt"
	"time"

	"inos/internal/capsule"
)

// Call does task on the very capsule called id, which was spawned: it finds there what
// its spawner put there, and leaves what the next call finds. Calls of one capsule follow
// one another; Call waits for its turn and blocks until the output is there, which the
// caller owns. limit is for the task itself; 0 means the capsule's own. onProgress may be
// nil and must not block. Who may call is the caller's to decide. Errors match
// ErrNoCapsule, ErrTransition while it is paused, ErrStopped while it is between two
// instances, ErrTimeLimit, those of capsule.Capsule.Run, or ctx's. A task that ctx or the
// limit ends must let go within Config.CancelGrace, or the instance is killed.
func (s *Supervisor) Call(ctx context.Context, id string, limit time.Duration, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error) {
	s.mu.Lock()
	ch := s.live[id]
	s.mu.Unlock()
	if ch == nil || ch.forJob {
		return nil, fmt.Errorf("%w: %.80q", ErrNoCapsule, id)
	}
	select {
	case ch.turn <- struct{}{}:
	case <-ch.gone:
		return nil, ErrStopped
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	c, err := s.begin(ch)
	if err != nil {
		<-ch.turn
		return nil, err
	}
	defer s.end(ch, c)
	return perform(ctx, c, least(limit, ch.timeLimit), task, onProgress)
}

// begin notes that a task is at work on ch, whose turn the caller has.
func (s *Supervisor) begin(ch *child) (*capsule.Capsule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ch.cap == nil || ch.stopping || ch.redo || ch.ending():
		return nil, ErrStopped
	case ch.state != Healthy && ch.state != Degraded:
		return nil, &TransitionError{From: ch.state.String(), Change: "call"}
	}
	ch.jobs = 1
	return ch.cap, nil
}

// end gives the turn on once the capsule has let go of the task.
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
