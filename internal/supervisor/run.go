package supervisor

import (
	"context"
	"errors"
	"time"

	"inos/internal/capsule"
)

// Limits of one run. Zero fields mean the capsule's own limits.
type Limits struct {
	MemoryBytes uint64        // the most memory the instance may ever have
	Time        time.Duration // for the run itself, without the start of its instance
}

// Run runs task on an instance of cid that is started for it alone, with the memory that the module
// defines. The instance ends with the task, however that ends. Run blocks until it has the output,
// which the caller owns. A task that failed has given up its thread when Run returns, unless that
// takes longer than goneWithin. Run calls capsule.Begin with ctx when the node begins to work on
// the task. onProgress may be nil and must not block. Errors match ErrBusy or ErrNotServing
// (retryable), ErrTimeLimit, those of Blobs, of capsule.Runtime and of capsule.Capsule.Run, or
// ctx's.
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

// goneWithin is how long a run that was ended early waits for its thread to end, so that nobody
// takes its slot before. A native thread ends within it; a browser's Worker may take seconds.
const goneWithin = 100 * time.Millisecond

func awaitGone(ch *child) {
	limit := time.NewTimer(goneWithin)
	defer limit.Stop()
	select {
	case <-ch.gone:
	case <-limit.C:
	}
}

// perform runs task on c for at most limit; 0 is no limit.
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

// instance starts an instance for a run.
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
	if ch.cap == nil { // it was started, and has died since
		return nil, nil, orStopped(ch.lastErr)
	}
	return ch, ch.cap, nil
}

// leavingTakes is how long a run waits for the threads of capsules that have ended. A browser takes
// two seconds to end a Worker that does not end by itself.
const leavingTakes = 2 * time.Second

// admitSoon is admit for a run. Many short runs in a row need not wait for each other's slots, but
// they wait for dead capsules' threads to end when those are too many.
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

// discard ends the instance of a run, which serves nothing else.
func (s *Supervisor) discard(ch *child, c *capsule.Capsule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.cap == c && !ch.ending() { // an instance that died already has its own reason
		s.stop(ch, "its job is over", ended)
	}
}
