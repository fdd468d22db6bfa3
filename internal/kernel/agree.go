package kernel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// Errors of jobs that several nodes run.
var (
	// ErrReplicas: fewer nodes than asked for can take the job now. Retryable.
	ErrReplicas = errors.New("kernel: too few nodes for the copies asked for")
	// ErrDisputed: too few of the nodes returned the same output. Nobody is paid.
	// Final for this choice of nodes.
	ErrDisputed = errors.New("kernel: the nodes do not agree")
)

// vote is what one copy came to. Money is held for it when promised.
type vote struct {
	place    matchmaker.Placement
	out      mesh.JobOutcome
	promised bool
	err      error
	ended    bool // paid or not, and judged
	started  time.Time
	took     time.Duration
}

func (v *vote) cid() string {
	if v.err != nil || v.out.Code != mesh.JobOK {
		return ""
	}
	return v.out.OutputCID
}

// ballot is one job on several nodes. It waits in the queue as every other job,
// until all of them have a slot free.
type ballot struct {
	k      *Kernel
	a      governance.Admitted
	sub    *Submission
	admits *claim // of the gate's admission
	n      int
	count  *credit.Agreement
	votes  chan vote
	reveal chan verdict // capacity 1

	mu     sync.Mutex
	spares []matchmaker.Placement // without a slot yet
	said   *verdict
}

func (k *Kernel) newBallot(a governance.Admitted, sub *Submission, admits *claim) (b *ballot, err error) {
	job := a.Job()
	b = &ballot{k: k, a: a, sub: sub, admits: admits, n: job.Copies(), reveal: make(chan verdict, 1)}
	b.votes = make(chan vote, b.n)
	b.count, err = credit.NewAgreement(job.Quorum(), b.n)
	return b, err
}

type verdict struct {
	out      mesh.JobOutcome
	place    matchmaker.Placement
	attempts []matchmaker.Attempt
	err      error
}

// hold has the job run on the nodes set aside under p's ticket, and returns as soon
// as enough of them agree on the output. The others are waited for in the background:
// who returns the same is paid, who returns something else is not, and loses
// reputation.
func (b *ballot) hold(ctx context.Context, p matchmaker.Placement) (mesh.JobOutcome, error) {
	k := b.k
	var places []matchmaker.Placement
	if err := k.loop.ask(ctx, func(s *state) { places, s.crews[p.Ticket] = s.crews[p.Ticket], nil }); err != nil {
		return mesh.JobOutcome{}, err
	}
	// The copies outlive the caller's wait, not its giving up before the verdict.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if deadline := b.a.Job().Deadline; !deadline.IsZero() { // else each copy has an end of its own
		running, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
	}
	stopCaller := context.AfterFunc(ctx, cancel)
	stopLife := context.AfterFunc(k.life, cancel)
	b.admits.hold()
	started := len(places) == b.n && k.crew.start(b.n+1, func(i int) {
		if i < b.n {
			b.votes <- b.run(running, places[i])
			return
		}
		b.decide(running)
		stopLife()
		cancel()
		b.admits.drop()
	})
	if !started {
		for _, p := range places {
			chooser{k}.Done(p, mesh.JobOutcome{}, ErrStopped)
		}
		b.admits.drop()
		cancel()
		return mesh.JobOutcome{}, ErrStopped
	}
	v := <-b.reveal // each copy ends with running, and so does decide
	stopCaller()
	b.mu.Lock()
	b.said = &v
	b.mu.Unlock()
	if v.err != nil {
		v.out.Code = codeOf(v.err)
		return v.out, undecided{v.err}
	}
	return v.out, nil
}

// outcome is what the votes came to, nil when there was no vote.
func (b *ballot) outcome() *verdict {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.said
}

// undecided is the end of a ballot without an agreement: no other choice of nodes is
// tried.
type undecided struct{ error }

func (u undecided) Unwrap() error { return u.error }

// Final implements matchmaker.Final.
func (undecided) Final() bool { return true }

// run has one copy done at p, or at a spare when p's node is busy or out of reach.
func (b *ballot) run(ctx context.Context, p matchmaker.Placement) vote {
	for {
		v := vote{place: p, started: time.Now()}
		progress := b.k.progress(b.a.Job().ID, b.sub.OnProgress)
		o, err := b.k.offerOf(ctx, p.Ticket)
		switch {
		case err != nil:
			v.err = err
		case p.Node == b.k.cfg.Self:
			v.out = b.k.execute(ctx, b.a, o.terms, b.sub.Input, b.k.fetchFromPeers, progress)
		default:
			v.out, v.promised, v.err = b.k.send(ctx, b.a, p, o, b.sub, progress)
		}
		v.took = time.Since(v.started)
		chooser{b.k}.Done(p, v.out, v.err)
		busy := v.err == nil && v.out.Code == mesh.JobBusy
		if !busy && !errors.Is(v.err, mesh.ErrUnsent) || ctx.Err() != nil {
			return v
		}
		b.end(ctx, &v, v.err) // before another copy promises something to the same node
		if busy {             // it may come free for this copy or for another
			b.mu.Lock()
			b.spares = append(b.spares, p)
			b.mu.Unlock()
		}
		next, ok := b.spare(ctx)
		if !ok {
			return v
		}
		p = next
	}
}

// end pays for a copy, or does not, and remembers how it went. err says what is
// wrong with it.
func (b *ballot) end(ctx context.Context, v *vote, err error) {
	if v.ended {
		return
	}
	v.ended = true
	if v.promised {
		err = b.k.settle(ctx, b.a, &v.out, v.took, err)
	}
	b.k.judge(ctx, v.place.Node, v.out, err)
}

// decide counts the votes, reveals the verdict as soon as there is one, and ends
// every copy.
func (b *ballot) decide(ctx context.Context) {
	var open []vote // that claim money, before the verdict
	var attempts []matchmaker.Attempt
	said, agreed := false, false
	say := func(v verdict) {
		said = true
		v.attempts = slices.Clone(attempts)
		b.reveal <- v
	}
	for range b.n {
		v := <-b.votes
		err := v.err
		if err == nil && v.out.Code != mesh.JobOK {
			err = matchmaker.NodeError(v.place.Node, v.out)
		}
		attempts = append(attempts, matchmaker.Attempt{Node: v.place.Node, Score: v.place.Score, Started: v.started, Took: v.took, Err: err})
		if v.err == nil && claims(v.out) {
			open = append(open, v)
		} else {
			b.end(ctx, &v, v.err)
		}
		if agreed && v.cid() == "" { // one that failed before is among the attempts
			// Without a loop there is no score to lower.
			_ = b.k.loop.tell(context.Background(), func(s *state) { s.contradicted(kindOf(b.a), v.place.Node, err, v.took, claims(v.out), time.Now()) })
		}
		switch b.count.Add(credit.Vote{Node: v.place.Node, OutputCID: v.cid()}) {
		case credit.Agreed:
			won := b.tally(ctx, open)
			open, agreed = nil, true
			if !said {
				say(won)
			}
		case credit.Disputed:
			if !said {
				say(verdict{err: fmt.Errorf("%w: %d answered, %d of %d must agree; the last: %w", ErrDisputed, len(attempts), b.a.Job().Quorum(), b.n, orDisagree(err))})
			}
		}
	}
	// Without an agreement nobody can be told from the liars: nobody is paid, and
	// nobody blamed.
	for _, v := range open {
		if v.promised {
			_ = b.k.settle(ctx, b.a, &v.out, v.took, fmt.Errorf("%w: disputed", ErrResult))
		}
	}
	if !said {
		say(verdict{err: ErrDisputed})
	}
}

func orDisagree(err error) error {
	if err == nil {
		return ErrResult
	}
	return err
}

// outvoted ends a copy without the output that was agreed on. It is not paid, whatever
// it claims. Another output is a lie, and so is a bill for more time than went by; of one
// without an output nobody knows whether its node is to blame, but it has failed where
// others have not.
func (b *ballot) outvoted(ctx context.Context, v *vote) {
	if v.cid() != "" || v.out.Cost > credit.Bound(v.place.Price, v.took) {
		b.end(ctx, v, fmt.Errorf("%w: %d others agree on another output", ErrResult, b.a.Job().Quorum()))
		return
	}
	v.ended = true
	if v.promised {
		b.k.cfg.Payments.Withdraw(b.a, v.place.Node, b.k.cfg.Now())
	}
	switch v.out.Code {
	case mesh.JobCreditExhausted, mesh.JobCrashed: // of the other ends state.contradicted hears
		_ = b.k.loop.tell(context.Background(), func(s *state) { s.note(v.place.Node, credit.DeedFailed, time.Now()) })
	}
}

// tally ends the copies whose output is known and returns the first that won, with
// what all of them cost.
func (b *ballot) tally(ctx context.Context, votes []vote) (won verdict) {
	var cost uint64
	for _, v := range votes {
		if v.cid() != b.count.Output() {
			b.outvoted(ctx, &v)
			continue
		}
		b.end(ctx, &v, nil)
		cost += v.out.Cost
		if won.out.OutputCID == "" {
			won.out, won.place = v.out, v.place
		}
	}
	won.out.Cost = cost
	return won
}
