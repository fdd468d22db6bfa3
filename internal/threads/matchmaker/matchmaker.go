package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Matchmaker is a supervised service. Serve runs it, and every job ends when Serve does. Jobs
// submitted before Serve runs, or runs again, wait for it. Safe for concurrent use.
type Matchmaker struct {
	cfg    Config
	wake   chan struct{} // capacity 1: there is something to place
	hedges chan struct{} // one token for each second copy

	mu      sync.Mutex
	lines   map[string]*line   // the jobs that wait, by what they wait for
	ready   lines              // those whose first job may be placed now
	waiting int                // jobs that no worker has
	known   map[string]*ticket // by job id: waiting or in hand
	kicks   uint64
	serial  uint64
	stopped bool
}

// New validates c. Errors match ErrConfig.
func New(c Config) (*Matchmaker, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Matchmaker{
		cfg:    c,
		wake:   make(chan struct{}, 1),
		hedges: make(chan struct{}, max(c.InHand/8, 1)),
		lines:  make(map[string]*line),
		known:  make(map[string]*ticket),
	}, nil
}

// String names the service to its supervisor.
func (m *Matchmaker) String() string { return "matchmaker" }

// Submit queues an admitted job and blocks until it ends. When ctx ends, or the job's deadline
// passes, the job is cancelled wherever it is. The Result lists the attempts even with an error.
// The error is one of this package, a *JobError, or what Chooser or Runner returned last.
func (m *Matchmaker) Submit(ctx context.Context, job Job) (Result, error) {
	a := job.Admitted()
	if !a.Valid() {
		return Result{}, ErrNotAdmitted
	}
	ctx, cancel := within(ctx, a.Job().Deadline)
	defer cancel()
	t := m.newTicket(ctx, job, time.Now())
	if err := m.accept(t); err != nil {
		return Result{}, err
	}
	select {
	case <-t.done:
	case <-ctx.Done():
		if !m.withdraw(t) {
			<-t.done // the worker that has the job sees ctx too
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
	case m.waiting >= m.cfg.Queue:
		return fmt.Errorf("%w: %d jobs", ErrQueueFull, m.cfg.Queue)
	}
	m.serial++
	t.serial = m.serial
	m.known[t.id] = t
	m.enqueue(t)
	return nil
}

// Waiting counts the jobs that no worker has.
func (m *Matchmaker) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiting
}

// Serve places jobs until ctx ends. It then cancels the jobs in hand, waits for them and ends all
// others with ErrStopped.
func (m *Matchmaker) Serve(ctx context.Context) error {
	m.mu.Lock()
	m.stopped = false
	m.mu.Unlock()
	hands := make(chan struct{}, m.cfg.InHand)
	var working sync.WaitGroup
	defer m.stop()
	defer working.Wait()
	recheck := time.NewTicker(m.cfg.Recheck)
	defer recheck.Stop()
	for {
		select {
		case hands <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select { // checks ctx even when there is always a job to place
		case <-recheck.C:
			m.Kick()
		default:
		}
		batch, kicks := m.take(hands)
		for len(batch) == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-m.wake:
			case <-recheck.C:
				m.Kick()
			}
			batch, kicks = m.take(hands)
		}
		for i, c := range m.choose(ctx, batch) {
			next := m.placed(batch[i], c, kicks)
			if next == nil {
				<-hands
				continue
			}
			working.Go(func() {
				defer func() { <-hands }()
				next(ctx)
			})
		}
	}
}

// placed applies the Chooser's answer for t. It returns what a worker is to do about it, nil for
// nothing.
func (m *Matchmaker) placed(t *ticket, c Choice, kicks uint64) func(serving context.Context) {
	switch {
	case t.ctx.Err() != nil:
		if c.Err == nil {
			m.release(c.Placement, noOutcome, t.ctx.Err())
		}
		m.end(t, Result{}, t.over(t.ctx))
	case c.Err == nil:
		m.heard(t, nil)
		m.inHand(t)
		return func(serving context.Context) { m.work(serving, t, c.Placement) }
	case errors.Is(c.Err, ErrLook):
		if errors.Is(c.Err, ErrNobody) {
			m.heard(t, c.Err) // the job may end while Look runs
		}
		t.lacks(c)
		m.inHand(t)
		return func(serving context.Context) { m.look(serving, t) }
	case errors.Is(c.Err, ErrBusy):
		m.heard(t, c.Err)
		t.lacks(c)
		m.again(t, kicks, true)
	case errors.Is(c.Err, ErrNobody) && t.again():
		m.again(t, kicks, false)
	case errors.Is(c.Err, ErrNobody) && len(t.exclude) == 0 && !m.heard(t, c.Err):
		t.lacks(c)
		m.again(t, kicks, true)
	default:
		m.end(t, t.last, t.failed(c.Err))
	}
	return nil
}

func (m *Matchmaker) inHand(t *ticket) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(t, false)
}

// stop ends the jobs that no worker has.
func (m *Matchmaker) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
	for _, l := range m.lines {
		for len(l.jobs) > 0 {
			t := l.jobs[len(l.jobs)-1]
			m.dequeue(t)
			var err error = ErrStopped
			if t.ctx.Err() != nil || !time.Now().Before(t.deadline) {
				err = t.over(t.ctx)
			}
			m.finish(t, Result{Attempts: t.attempts}, err)
		}
	}
}

// within returns ctx with a deadline, unless that is zero.
func within(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}

// finish ends t. The caller holds mu.
func (m *Matchmaker) finish(t *ticket, r Result, err error) {
	m.count(t, false)
	delete(m.known, t.id)
	now := time.Now()
	r.Queued = max(now.Sub(t.arrived)-t.with, 0)
	t.result, t.err = r, t.late(err, now)
	close(t.done)
}

// ended returns the error of this package for the end of ctx.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return passed{}
	}
	return fmt.Errorf("%w: %w", ErrCancelled, context.Cause(ctx))
}
