package supervisor

import (
	"context"
	"errors"
	"time"

	"inos/internal/capsule"
)

// Limits of one run. Zero fields mean the capsule's own.
type Limits struct {
	MemoryBytes uint64        // the most memory the instance may ever have
	Time        time.Duration // for the run itself, its instance's start not counted
}

// Run does task on an instance of cid started for it alone, with the memory that the
// module defines; with the task, whatever became of it, the instance ends. It blocks until
// the output is there; the caller owns it. A task that failed has let go of its thread by
// then, unless that takes longer than goneWithin. capsule.Begin is called of ctx when the node
// begins to work on it. onProgress may be nil and must not block.
// Errors match ErrBusy or ErrNotServing (retryable), ErrTimeLimit, those of Blobs, of
// capsule.Runtime and of capsule.Capsule.Run, or ctx's.
func (s *Supervisor) Run(ctx context.Context, cid capsule.CID, limits Limits, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error) {
	ch, c, err := s.instance(ctx, cid, limits)
	if err != nil {
		return nil, err
	}
	out, err := perform(ctx, c, least(limits.Time, ch.timeLimit), task, onProgress)
	s.discard(ch, c)
	if err != nil {
		awaitGone(ch)
	}
	return out, err
}

// goneWithin is how long a run that was ended waits for its thread to end, so that nobody
// else has its slot before: natively it does, in a browser a Worker may take seconds.
const goneWithin = 100 * time.Millisecond

func awaitGone(ch *child) {
	limit := time.NewTimer(goneWithin)
	defer limit.Stop()
	select {
	case <-ch.gone:
	case <-limit.C:
	}
}

// perform does task on c, for limit at most; 0 is no limit.
func perform(ctx context.Context, c *capsule.Capsule, limit time.Duration, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error) {
	running := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		running, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	var progress func(capsule.Progress)
	if onProgress != nil {
		progress = func(p capsule.Progress) { onProgress(p.Done, p.Total) }
	}
	out, err := c.Run(running, task, progress)
	if err != nil && running.Err() != nil && ctx.Err() == nil && err == running.Err() {
		err = &TimeLimitError{Limit: limit}
	}
	return out, err
}

// instance starts one for a run.
func (s *Supervisor) instance(ctx context.Context, cid capsule.CID, limits Limits) (*child, *capsule.Capsule, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := s.awaitServing(ctx); err != nil {
		return nil, nil, err
	}
	ch, err := s.admitSoon(ctx, spec{cid: cid, memoryLimit: limits.MemoryBytes, policy: capsule.Temporary, forJob: true,
		began: func() { capsule.Begin(ctx) }})
	if err != nil {
		return nil, nil, err
	}
	if err := s.awaitStart(ctx, ch); err != nil {
		awaitGone(ch)
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.cap == nil { // it was up, and has died since
		return nil, nil, orStopped(ch.lastErr)
	}
	return ch, ch.cap, nil
}

// leavingTakes is how long a run waits for the threads of those that have ended: a
// browser takes two seconds to end a Worker that does not end by itself.
const leavingTakes = 2 * time.Second

// admitSoon is admit for a run: many short ones in a row need not wait for each other's
// slots, but for room among the dead whose threads are not gone.
func (s *Supervisor) admitSoon(ctx context.Context, sp spec) (*child, error) {
	limit := time.NewTimer(leavingTakes)
	defer limit.Stop()
	for {
		s.mu.Lock()
		ch, err := s.admit(sp)
		departure := s.departure
		s.mu.Unlock()
		if !errors.Is(err, errLeaving) {
			return ch, err
		}
		select {
		case <-departure:
		case <-limit.C:
			return nil, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// discard ends the instance of a run: nothing of it is for anybody else.
func (s *Supervisor) discard(ch *child, c *capsule.Capsule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.cap == c && !ch.ending() { // what it died of is its end
		s.stop(ch, "its job is over", ended)
	}
}
