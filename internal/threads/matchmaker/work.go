package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// work tries one node after the other until t ends or has to wait.
func (m *Matchmaker) work(serving context.Context, t *ticket) {
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	defer context.AfterFunc(serving, func() { cancel(ErrStopped) })()
	if t.started.IsZero() {
		t.started = time.Now()
	}
	for {
		kicks := m.kickCount()
		p, err := m.next(ctx, t)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				m.release(p, mesh.JobOutcome{}, ctx.Err())
			}
			m.end(t, Result{}, ended(ctx))
			return
		case errors.Is(err, ErrBusy):
			m.park(t, kicks)
			return
		case err != nil:
			m.end(t, Result{}, t.failed(err))
			return
		}
		a := m.attempt(ctx, t, p)
		p, out, err := a.p, a.out, a.err
		switch {
		case err == nil:
			m.end(t, Result{Placement: p, Outcome: out}, nil)
			return
		case ctx.Err() != nil:
			m.end(t, Result{Placement: p, Outcome: out}, ended(ctx))
			return
		case !retryable(err):
			m.end(t, Result{Placement: p, Outcome: out}, err)
			return
		case isBusy(err):
			// The node is well, its slots are taken: it stays a candidate, and the
			// Chooser has heard of it through Done.
			if t.busy++; t.busy%busyInARow == 0 {
				m.park(t, kicks)
				return
			}
			continue
		case len(t.exclude)+1 >= m.cfg.Attempts:
			m.end(t, Result{Placement: p, Outcome: out},
				fmt.Errorf("%w: %d tried, the last one: %w", ErrAttempts, len(t.exclude)+1, err))
			return
		}
		t.exclude = append(t.exclude, p.Node)
	}
}

// attempt runs t on p, and perhaps on a second node, and gives the slots back.
func (m *Matchmaker) attempt(ctx context.Context, t *ticket, p Placement) answer {
	if after, ok := m.hedgeAfter(t, p); ok {
		return m.hedged(ctx, t, p, after)
	}
	a := m.try(ctx, t, p)
	t.record(a)
	return a
}

// try runs t on p and gives the slot back.
func (m *Matchmaker) try(ctx context.Context, t *ticket, p Placement) answer {
	started := time.Now()
	out, err := m.run(ctx, t.job, p)
	if err == nil && out.Code != mesh.JobOK {
		err = &JobError{Node: p.Node, Code: out.Code, Reason: out.Reason, Message: out.Message}
	}
	m.release(p, out, err)
	return answer{p: p, out: out, err: err, started: started, took: time.Since(started)}
}

// record keeps a for the job's history.
func (t *ticket) record(a answer) {
	if len(t.attempts) == attemptsKept {
		t.attempts = append(t.attempts[:1], t.attempts[2:]...)
	}
	t.attempts = append(t.attempts, Attempt{
		Node: a.p.Node, Score: a.p.Score, Started: a.started, Took: a.took, Err: a.err,
	})
}

const (
	// busyInARow is how many nodes may answer that they are busy before the job
	// waits for news.
	busyInARow = 8
	// attemptsKept bounds a job's history: the first and the newest stay.
	attemptsKept = 64
)

func isBusy(err error) bool {
	var job *JobError
	return errors.As(err, &job) && job.Code == mesh.JobBusy
}

// failed is what a Chooser's final error means to the caller: alone when no node
// was tried, with the last node's error otherwise.
func (t *ticket) failed(err error) error {
	if n := len(t.attempts); n > 0 {
		return fmt.Errorf("%w: %d tried, the last one: %w; then: %w", ErrAttempts, len(t.exclude), t.attempts[n-1].Err, err)
	}
	return err
}

func (m *Matchmaker) end(t *ticket, r Result, err error) {
	r.Attempts = t.attempts
	r.Queued = t.started.Sub(t.arrived)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finish(t, r, err)
}

// next is the placement of t's next attempt: one that its batch gave it, or a new
// one.
func (m *Matchmaker) next(ctx context.Context, t *ticket) (Placement, error) {
	if t.hasGiven {
		t.hasGiven = false
		return t.given, nil
	}
	return m.choose(ctx, t.job, len(t.attempts)+1, t.exclude)
}

func (m *Matchmaker) kickCount() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kicks
}

// The callees run on goroutines that no supervisor guards: a panic there ends
// the job, not the kernel.

func (m *Matchmaker) choose(ctx context.Context, job governance.Admitted, attempt int, exclude []identity.PeerID) (p Placement, err error) {
	defer recovered(&err)
	return m.cfg.Chooser.Choose(ctx, job, attempt, exclude)
}

func (m *Matchmaker) run(ctx context.Context, job governance.Admitted, p Placement) (out mesh.JobOutcome, err error) {
	defer recovered(&err)
	return m.cfg.Runner.Run(ctx, job, p)
}

func (m *Matchmaker) release(p Placement, out mesh.JobOutcome, err error) {
	var ignored error
	defer recovered(&ignored)
	m.cfg.Chooser.Done(p, out, err)
}

func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%w: %v", ErrPanic, v)
	}
}
