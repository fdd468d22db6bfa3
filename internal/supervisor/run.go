package supervisor

import (
	"context"
	"time"

	"inos/internal/capsule"
)

// Limits of one run. Zero fields mean the capsule's own.
type Limits struct {
	MemoryBytes uint64        // the most memory the instance may ever have
	Time        time.Duration // for the run itself, its instance's start not counted
}

// Run does task on an idle instance of cid whose memory limit is the one asked
// for, or starts one. An instance does one run at a time. It blocks until the
// output is there; the caller owns it. onProgress may be nil and must not block.
// Errors match ErrBusy or ErrNotServing (retryable), ErrTimeLimit, those of
// Blobs, of capsule.Runtime and of capsule.Capsule.Run, or ctx's. When ctx or the
// time limit ends the run, its instance must let go within Config.CancelGrace or
// is killed.
func (s *Supervisor) Run(ctx context.Context, cid capsule.CID, limits Limits, task capsule.Task, onProgress func(done, total uint64)) ([]byte, error) {
	ch, c, err := s.lease(ctx, cid, limits)
	if err != nil {
		return nil, err
	}
	defer s.release(ch, c)
	running, limit := ctx, least(limits.Time, ch.timeLimit)
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

// lease finds or starts an instance for one run.
func (s *Supervisor) lease(ctx context.Context, cid capsule.CID, limits Limits) (*child, *capsule.Capsule, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := s.awaitServing(ctx); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	now := time.Now()
	for i := len(s.order) - 1; i >= 0; i-- { // the newest first: the others may go idle
		ch := s.order[i]
		ch.settle(now)
		if ch.cid == cid && ch.idle() && ch.fits(limits.MemoryBytes) {
			ch.jobs = 1
			c := ch.cap
			s.mu.Unlock()
			return ch, c, nil
		}
	}
	ch, err := s.admit(spec{cid: cid, memoryLimit: limits.MemoryBytes, policy: capsule.Temporary, pooled: true, jobs: 1})
	s.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	if err := s.awaitStart(ctx, ch); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.cap == nil { // it was up, and has died since
		return nil, nil, orStopped(ch.lastErr)
	}
	return ch, ch.cap, nil
}

// fits reports whether ch has the memory limit that an instance started for
// limit would have.
func (ch *child) fits(limit uint64) bool {
	want := least(limit, ch.ceiling)
	return ch.cap.MemoryLimit() == want-want%capsule.PageSize
}

// release gives the instance back once its run has ended.
func (s *Supervisor) release(ch *child, c *capsule.Capsule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.cap != c {
		return // it has died
	}
	now := time.Now()
	ch.drainBy = now.Add(s.cfg.CancelGrace)
	ch.settle(now)
}
