package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
)

// Errors in Result.Attempts and inside ErrAttempts.
var (
	// ErrOutrun ends a copy of a job when another copy has answered first.
	ErrOutrun = fault.Internal("matchmaker: another copy was faster")
	// ErrSilent ends an attempt whose node has reported nothing for the stall timeout, once another
	// node has a slot for the job.
	ErrSilent = fault.Internal("matchmaker: the node was silent for too long")
)

// answer is the end of one copy of a job.
type answer struct {
	p       Placement
	out     mesh.JobOutcome
	err     error
	started time.Time
	took    time.Duration
	none    bool // no node was found for the copy
}

// final reports whether no other node can do better.
func (a *answer) final() bool { return a.err == nil || !retryable(a.err) }

// cost returns what the node has been paid, in microcredits.
func (a *answer) cost() uint64 {
	if len(a.out.Receipt) == 0 {
		return 0
	}
	return a.out.Cost
}

// hedgeAfter says how long p may take before a second copy of t is sent. Both copies count as
// attempts: ok is false when t has only one left.
func (m *Matchmaker) hedgeAfter(t *ticket, p Placement) (d time.Duration, ok bool) {
	if m.cfg.Hedge == nil || t.tried+2 > m.cfg.Attempts {
		return 0, false
	}
	var ignored error
	defer recovered(&ignored)
	return m.cfg.Hedge(t.job, p)
}

const (
	// leastSilence is the shortest stall timeout: nodes report the cost of a run every second.
	leastSilence = 3 * time.Second
	// slowUpload is the lowest expected speed of an upload of the input, in bytes a second.
	slowUpload = 128 << 10
)

// patience returns how long t's node may be silent; false means without limit.
func (m *Matchmaker) patience(t *ticket) (time.Duration, bool) {
	j := t.job.Admitted().Job()
	if j.ReplicasOrOne() > 1 {
		return 0, false
	}
	share := time.Until(t.deadline) / time.Duration(max(m.cfg.Attempts-t.tried, 1))
	return max(min(share, m.cfg.StallTimeout), leastSilence) + time.Duration(j.InputLength/slowUpload)*time.Second, true
}

// flight is one attempt: the first copy, possibly a second one, and possibly a search for a node
// that takes over.
type flight struct {
	m       *Matchmaker
	t       *ticket
	ctx     context.Context
	cancel  context.CancelCauseFunc
	copies  sync.WaitGroup
	answers chan answer
	relief  chan Choice
	open    int
	began   time.Time
	news    atomic.Int64 // when a node last reported, in nanoseconds from began
	won     *answer

	mu    sync.Mutex
	nodes []identity.PeerID // the nodes that have a copy
}

// attempt runs t on p and, when that takes longer than hedgeAfter says, a second copy on another
// node. The first answer that settles the job wins; attempt cancels the other copy and waits for
// it. When all nodes are silent for the stall timeout and another node has a slot, attempt gives
// them up and returns that slot as next.
func (m *Matchmaker) attempt(ctx context.Context, t *ticket, p Placement) (a answer, next *Placement) {
	f := &flight{m: m, t: t, began: time.Now(), answers: make(chan answer, 2), relief: make(chan Choice, 1)}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	defer f.cancel(nil)
	defer f.copies.Wait()
	f.alive()
	f.launch(p)

	var hedge, silence <-chan time.Time
	var token chan<- struct{} // receives a token as soon as one is free
	after, hedged := m.hedgeAfter(t, p)
	if hedged {
		timer := time.NewTimer(after)
		defer timer.Stop()
		hedge = timer.C
	}
	patience, limited := m.patience(t)
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	if limited {
		silence = quiet.C
	}
	for f.open > 0 {
		select {
		case <-hedge:
			hedge, token = nil, m.hedges
		case token <- struct{}{}:
			token = nil
			f.second()
		case <-silence:
			if wait := patience - f.silent(); wait > 0 {
				quiet.Reset(wait)
				continue
			}
			if silence = nil; f.more() {
				f.find()
			}
		case c := <-f.relief:
			switch {
			case c.Err != nil: // no node can take over now
				quiet.Reset(max(patience/4, time.Second))
				silence = quiet.C
			case f.won != nil || f.ctx.Err() != nil || f.silent() < patience:
				m.release(c.Placement, noOutcome, ErrOutrun)
				quiet.Reset(patience)
				silence = quiet.C
			default:
				next = &c.Placement
				f.cancel(ErrSilent)
			}
		case a := <-f.answers:
			f.open--
			f.landed(a)
			hedge, token = nil, nil // after one answer, no third copy is started
		}
	}
	f.copies.Wait()
	select {
	case c := <-f.relief: // the slot came too late
		if c.Err == nil {
			m.release(c.Placement, noOutcome, ErrOutrun)
		}
	default:
	}
	return *f.won, next
}

// alive records that a node has reported.
func (f *flight) alive() { f.news.Store(int64(time.Since(f.began))) }

func (f *flight) silent() time.Duration { return time.Since(f.began) - time.Duration(f.news.Load()) }

func (f *flight) launch(p Placement) {
	f.open++
	f.on(p.Node)
	f.copies.Go(func() { f.answers <- f.m.try(f.ctx, f.t, p, f.alive) })
}

// on records that node has a copy.
func (f *flight) on(node identity.PeerID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes = append(f.nodes, node)
}

// more reports whether another node may be tried.
func (f *flight) more() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.t.tried+max(len(f.nodes), f.open) < f.m.cfg.Attempts
}

// wants describes a further attempt while this one is under way.
func (f *flight) wants() Waiting {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.t.wants()
	w.Attempt += f.open
	w.Last = f.t.tried+f.open+1 >= f.m.cfg.Attempts
	w.Exclude = append(slices.Clone(w.Exclude), f.nodes...)
	return w
}

// second chooses a node for the second copy and runs it there. It holds a token.
func (f *flight) second() {
	w := f.wants()
	f.open++
	f.copies.Go(func() {
		defer func() { <-f.m.hedges }()
		w.Ctx = f.ctx
		c := f.m.chooseFor(f.ctx, []Waiting{w})[0]
		switch {
		case c.Err != nil:
			f.answers <- answer{none: true}
		case f.ctx.Err() != nil:
			f.m.release(c.Placement, noOutcome, f.ctx.Err())
			f.answers <- answer{none: true}
		default:
			f.on(c.Node)
			f.alive()
			f.answers <- f.m.try(f.ctx, f.t, c.Placement, f.alive)
		}
	})
}

// find searches for a node that can take over.
func (f *flight) find() {
	w := f.wants()
	f.copies.Go(func() {
		w.Ctx = f.ctx
		f.relief <- f.m.chooseFor(f.ctx, []Waiting{w})[0]
	})
}

// landed takes the answer of one copy.
func (f *flight) landed(a answer) {
	t := f.t
	switch {
	case a.none:
	case f.won != nil && f.won.final():
		if a.err != nil {
			a.err = fmt.Errorf("%w: %w", ErrOutrun, a.err)
		}
		t.record(a)
	default:
		if f.won != nil && !isBusy(f.won.err) && !unsent(f.won.err) && !errors.Is(f.won.err, ErrRepeat) {
			t.failedOn(f.won.p.Node, f.won.err)
		}
		t.record(a)
		f.won = &a
		if a.final() {
			f.cancel(ErrOutrun)
		}
	}
}
