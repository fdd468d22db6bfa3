package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// ErrOutrun ends a copy of a job when another copy has answered first. It shows in
// Result.Attempts only.
var ErrOutrun = errors.New("matchmaker: another copy was faster")

// answer is how one copy of a job ended.
type answer struct {
	p       Placement
	out     mesh.JobOutcome
	err     error
	started time.Time
	took    time.Duration
	none    bool // no node was found for the copy
}

// final reports whether nothing better can come.
func (a *answer) final() bool { return a.err == nil || !retryable(a.err) }

// hedgeAfter says after how long a second copy of t shall be sent if p has not
// answered. Both copies count as attempts: none is sent when t has only one left.
func (m *Matchmaker) hedgeAfter(t *ticket, p Placement) (d time.Duration, ok bool) {
	if m.cfg.Hedge == nil || len(t.exclude)+2 > m.cfg.Attempts {
		return 0, false
	}
	var ignored error
	defer recovered(&ignored)
	return m.cfg.Hedge(t.job, p)
}

// hedged runs t on p and, when that takes longer than after, a second copy on
// another node. The first answer that settles the job wins; the other copy is
// cancelled and waited for.
func (m *Matchmaker) hedged(ctx context.Context, t *ticket, p Placement, after time.Duration) answer {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answers := make(chan answer, 2)
	var copies sync.WaitGroup
	defer copies.Wait()
	copies.Go(func() { answers <- m.try(ctx, t, p) })
	timer := time.NewTimer(after)
	defer timer.Stop()
	var won *answer
	for open := 1; open > 0; {
		select {
		case <-timer.C:
			select {
			case m.hedges <- struct{}{}:
				open++
				attempt, exclude := len(t.attempts)+2, append(slices.Clone(t.exclude), p.Node)
				copies.Go(func() {
					defer func() { <-m.hedges }()
					answers <- m.second(ctx, t, attempt, exclude)
				})
			default: // enough second copies are under way
			}
		case a := <-answers:
			open--
			switch {
			case a.none:
			case won != nil && won.final():
				if a.err != nil {
					a.err = fmt.Errorf("%w: %w", ErrOutrun, a.err)
				}
				t.record(a)
			default:
				if won != nil && !isBusy(won.err) {
					t.exclude = append(t.exclude, won.p.Node)
				}
				t.record(a)
				won = &a
				if a.final() {
					cancel(ErrOutrun)
				}
			}
			timer.Stop() // with one answer here, the other copy is all there will be
		}
	}
	return *won
}

// second chooses a node for the second copy and runs it there.
func (m *Matchmaker) second(ctx context.Context, t *ticket, attempt int, exclude []identity.PeerID) answer {
	p, err := m.choose(ctx, t.job, attempt, exclude)
	if err != nil {
		return answer{none: true}
	}
	if ctx.Err() != nil {
		m.release(p, mesh.JobOutcome{}, ctx.Err())
		return answer{none: true}
	}
	return m.try(ctx, t, p)
}
