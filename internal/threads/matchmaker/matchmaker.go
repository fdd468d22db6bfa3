package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"inos/internal/governance"
)

// Matchmaker is a supervised service: Serve runs it, and what is queued survives
// a restart of Serve. Safe for concurrent use.
type Matchmaker struct {
	cfg  Config
	wake chan struct{} // capacity 1: the queue or the parked jobs changed

	batcher Batcher       // the Chooser, if it is one
	hedges  chan struct{} // one token a second copy

	mu      sync.Mutex
	queue   tickets
	parked  map[*ticket]struct{} // found every node busy
	known   map[string]*ticket   // by job id: queued, parked or in hand
	kicks   uint64
	serial  uint64
	stopped bool
}

// New checks c. Errors match ErrConfig.
func New(c Config) (*Matchmaker, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	batcher, _ := c.Chooser.(Batcher)
	return &Matchmaker{
		cfg:     c,
		wake:    make(chan struct{}, 1),
		batcher: batcher,
		hedges:  make(chan struct{}, max(c.InHand/8, 1)),
		parked:  make(map[*ticket]struct{}),
		known:   make(map[string]*ticket),
	}, nil
}

// String names the service to its supervisor.
func (m *Matchmaker) String() string { return "matchmaker" }

// Submit queues an admitted job and waits for its end. When ctx ends, or the
// job's deadline passes, the job is cancelled wherever it is. The Result tells
// the attempts even when there is an error: one of this package, a *JobError, or
// what Chooser or Runner returned last.
func (m *Matchmaker) Submit(ctx context.Context, job governance.Admitted) (Result, error) {
	if !job.Valid() {
		return Result{}, ErrNotAdmitted
	}
	j := job.Job()
	ctx, cancel := context.WithDeadline(ctx, j.Deadline)
	defer cancel()
	now := time.Now()
	t := &ticket{
		job: job, id: j.ID, ctx: ctx, arrived: now, deadline: j.Deadline, at: -1,
		rank: now.Add(-time.Duration(j.Priority) * m.cfg.Step),
		done: make(chan struct{}),
	}
	if err := m.accept(t); err != nil {
		return Result{}, err
	}
	select {
	case <-t.done:
	case <-ctx.Done():
		if !m.withdraw(t, ended(ctx)) {
			<-t.done // the hand that has it sees ctx too
		}
	}
	return t.result, t.err
}

func (m *Matchmaker) accept(t *ticket) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.stopped:
		return ErrStopped
	case m.known[t.id] != nil:
		return fmt.Errorf("%w: %s", ErrDuplicate, t.id)
	case len(m.queue)+len(m.parked) >= m.cfg.Queue:
		return fmt.Errorf("%w: %d jobs", ErrQueueFull, m.cfg.Queue)
	}
	m.serial++
	t.serial = m.serial
	m.known[t.id] = t
	m.push(t)
	return nil
}

// Waiting counts the jobs that no hand has yet.
func (m *Matchmaker) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue) + len(m.parked)
}

// Serve places jobs until ctx ends, then cancels those in hand, waits for them
// and ends every other with ErrStopped.
func (m *Matchmaker) Serve(ctx context.Context) error {
	m.mu.Lock()
	m.stopped = false
	m.mu.Unlock()
	hands := make(chan struct{}, m.cfg.InHand)
	var working sync.WaitGroup
	defer m.stop()
	defer working.Wait()
	recheck := time.NewTimer(m.cfg.Recheck)
	defer recheck.Stop()
	for {
		select {
		case hands <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		t := m.pop()
		for t == nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-m.wake:
			case <-recheck.C:
				m.Kick()
				recheck.Reset(m.cfg.Recheck)
			}
			t = m.pop()
		}
		batch := m.batch(t, hands)
		m.placeAll(ctx, batch)
		for _, t := range batch {
			working.Go(func() {
				defer func() { <-hands }()
				m.work(ctx, t)
			})
		}
	}
}

// stop ends what no hand has.
func (m *Matchmaker) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
	for len(m.queue) > 0 {
		t := m.queue[len(m.queue)-1]
		m.queue = m.queue[:len(m.queue)-1]
		t.at = -1
		m.finish(t, Result{Attempts: t.attempts}, ErrStopped)
	}
	for t := range m.parked {
		t.parked = false
		m.finish(t, Result{Attempts: t.attempts}, ErrStopped)
	}
	clear(m.parked)
}

// finish ends t. The caller holds mu.
func (m *Matchmaker) finish(t *ticket, r Result, err error) {
	delete(m.known, t.id)
	t.result, t.err = r, err
	close(t.done)
}

// ended says in this package's terms why ctx is over.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrDeadline, ctx.Err())
	}
	return fmt.Errorf("%w: %w", ErrCancelled, context.Cause(ctx))
}
