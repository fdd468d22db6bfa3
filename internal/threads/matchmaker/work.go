package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inos/internal/mesh"
)

var noOutcome mesh.JobOutcome

// work runs t on p's node, and on what takes over from it, until t has ended or returns to its
// line.
func (m *Matchmaker) work(serving context.Context, t *ticket, p Placement) {
	ctx, done := underway(serving, t.ctx)
	defer done()
	for {
		kicks, began := m.kickCount(), time.Now()
		a, next := m.attempt(ctx, t, p)
		t.spent(a, time.Since(began))
		r := Result{Placement: a.p, Outcome: a.out}
		switch {
		case a.err == nil:
			m.end(t, r, nil)
		case ctx.Err() != nil:
			m.end(t, r, t.over(ctx))
		case !retryable(a.err) || t.confirmed(a):
			m.end(t, r, a.err)
		case !time.Now().Before(t.deadline): // the node saw the deadline pass before the context did
			m.end(t, r, t.over(ctx))
		case isBusy(a.err) && (a.cost() == 0 || a.p.Own):
			// The node is not at fault: its slots or its memory are taken. It stays a candidate,
			// and the Chooser knows through Done.
			t.busy++
			m.again(t, kicks, t.stale(t.busy, busyInARow))
		case unsent(a.err):
			// The node did nothing for it and is owed nothing: this is no attempt. The Chooser
			// knows through Done and passes the node over.
			t.unsent++
			if next != nil {
				p = *next
				continue
			}
			// Done has kicked, so only later Kicks count.
			m.again(t, m.kickCount(), t.stale(t.unsent, unsentInARow))
		case errors.Is(a.err, ErrRepeat):
			m.again(t, kicks, false)
		case t.tried+1 >= m.cfg.Attempts:
			m.end(t, r, fmt.Errorf("%w: %d tried, the last one: %w", ErrAttempts, t.tried+1, a.err))
		default:
			t.failedOn(a.p.Node, a.err)
			t.last = r
			if next != nil {
				p = *next
				continue
			}
			m.again(t, kicks, false)
		}
		if next != nil { // an answer, or the end, came while the node was given up
			m.release(*next, noOutcome, ErrOutrun)
		}
		return
	}
}

// look has the Chooser find out what it does not know for t, then returns t to its line.
func (m *Matchmaker) look(serving context.Context, t *ticket) {
	ctx, done := underway(serving, t.ctx)
	defer done()
	w := t.wants()
	w.Ctx = ctx
	var failed error
	func() {
		defer recovered(&failed)
		m.cfg.Chooser.Look(ctx, w)
	}()
	switch {
	case ctx.Err() != nil:
		m.end(t, Result{}, t.over(ctx))
	case failed != nil:
		m.end(t, t.last, t.failed(failed))
	default:
		m.again(t, 0, false)
	}
}

// underway returns a job's ctx that also ends with the service.
func underway(serving, job context.Context) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(job)
	stop := context.AfterFunc(serving, func() { cancel(ErrStopped) })
	return ctx, func() { stop(); cancel(nil) }
}

// try runs t on p and gives the slot back.
func (m *Matchmaker) try(ctx context.Context, t *ticket, p Placement, alive func()) answer {
	started := time.Now()
	out, err := m.run(ctx, t.job, p, alive)
	switch {
	case err == nil && out.Code == mesh.JobOK:
	case errors.Is(context.Cause(ctx), ErrSilent):
		err = fmt.Errorf("%w: %w", ErrSilent, cause(p, out, err))
	case err == nil:
		err = cause(p, out, nil)
	}
	m.release(p, out, err)
	return answer{p: p, out: out, err: err, started: started, took: time.Since(started)}
}

// cause returns err, or the error that out means.
func cause(p Placement, out mesh.JobOutcome, err error) error {
	if err != nil {
		return err
	}
	return NodeError(p.Node, out)
}

// record adds a to the job's history.
func (t *ticket) record(a answer) {
	if len(t.attempts) == attemptsKept {
		t.attempts = append(t.attempts[:1], t.attempts[2:]...)
	}
	t.attempts = append(t.attempts, Attempt{
		Node: a.p.Node, Score: a.p.Score, Started: a.started, Took: a.took, Cost: a.cost(), Known: a.p.Known, Err: a.err,
	})
}

const (
	// busyInARow is how many nodes may answer that they are busy before the job waits for a change.
	busyInARow = 8
	// unsentInARow is how many nodes may be impossible to reach before the job waits for a change.
	// It stops a Chooser that passes over none of them from looping.
	unsentInARow = 64
	// attemptsKept bounds a job's history: the first and the newest attempts stay.
	attemptsKept = 64
)

// failed returns what a Chooser's final error means to the caller: the error alone when no node was
// tried, with the last node's error otherwise. A single node's refusal is returned as it is.
func (t *ticket) failed(err error) error {
	if t.tried == 0 {
		return err
	}
	last := t.attempts[len(t.attempts)-1].Err
	var said *JobError
	if t.tried == 1 && errors.As(last, &said) && said.refusal() || t.allSayFailed() {
		return last
	}
	return fmt.Errorf("%w: %d tried, the last one: %w; then: %w", ErrAttempts, t.tried, last, err)
}

// stale reports whether t has asked in vain so often that it waits for a change, apart from the
// jobs that have not asked.
func (t *ticket) stale(n, inARow int) bool {
	if n%inARow != 0 {
		return false
	}
	if !t.told {
		t.told = true
		t.key = t.excluding()
	}
	return true
}

func (m *Matchmaker) end(t *ticket, r Result, err error) {
	r.Attempts = t.attempts
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finish(t, r, err)
}

// The functions called here run on goroutines that no supervisor guards: a panic there ends the
// job, not the kernel.

// choose calls the Chooser for all of batch.
func (m *Matchmaker) choose(ctx context.Context, batch []*ticket) []Choice {
	jobs := make([]Waiting, len(batch))
	for i, t := range batch {
		jobs[i] = t.wants()
	}
	return m.chooseFor(ctx, jobs)
}

func (m *Matchmaker) chooseFor(ctx context.Context, jobs []Waiting) (all []Choice) {
	failed := fmt.Errorf("%w: too few choices", ErrPanic)
	func() {
		defer recovered(&failed)
		all = m.cfg.Chooser.Choose(ctx, jobs)
	}()
	for len(all) < len(jobs) {
		all = append(all, Choice{Err: failed})
	}
	return all[:len(jobs)]
}

func (m *Matchmaker) run(ctx context.Context, job Job, p Placement, alive func()) (out mesh.JobOutcome, err error) {
	defer recovered(&err)
	return m.cfg.Runner.Run(ctx, job, p, alive)
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
