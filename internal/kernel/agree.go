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
	"inos/internal/scheduler"
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

const (
	// copiesFrom is how many candidates, best first, the nodes are spread over.
	copiesFrom = 64
	// cellLength is the GeoHash prefix in which two nodes count as neighbours:
	// about 150 km.
	cellLength = 3
	// replicaWait is how long a job waits for enough nodes to be known and free, and
	// replicaAgain how often it looks.
	replicaWait  = 5 * time.Second
	replicaAgain = 250 * time.Millisecond
)

// crew is the copies under way, which Run waits for.
type crew struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func (c *crew) start(n int, run func(i int)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	for i := range n {
		c.wg.Go(func() { run(i) })
	}
	return true
}

func (c *crew) wait() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.wg.Wait()
}

// vote is what one copy came to. Money is held for it when promised.
type vote struct {
	place    matchmaker.Placement
	out      mesh.JobOutcome
	promised bool
	err      error
	started  time.Time
	took     time.Duration
}

func (v *vote) cid() string {
	if v.err != nil || v.out.Code != mesh.JobOK {
		return ""
	}
	return v.out.OutputCID
}

// ballot is one job on several nodes.
type ballot struct {
	k      *Kernel
	a      governance.Admitted
	sub    *Submission
	n      int
	count  *credit.Agreement
	votes  chan vote
	reveal chan verdict // capacity 1

	mu     sync.Mutex
	spares []matchmaker.Placement // without a slot yet
}

type verdict struct {
	out      mesh.JobOutcome
	place    matchmaker.Placement
	attempts []matchmaker.Attempt
	err      error
}

// dispatchAgreed runs a job on as many distinct nodes as it asks for, spread over
// GeoHash cells, and returns as soon as enough of them agree on the output. The
// others are waited for in the background: who returns the same is paid, who
// returns something else is not, and loses reputation. release is called when the
// last has ended. There is no queue: ErrReplicas says that too few nodes came free
// in replicaWait.
func (k *Kernel) dispatchAgreed(ctx context.Context, a governance.Admitted, sub *Submission, out *Outcome, release func()) (mesh.JobOutcome, error) {
	job := a.Job()
	started := false
	defer func() {
		if !started {
			release()
		}
	}()
	b := &ballot{k: k, a: a, sub: sub, n: job.Copies(), reveal: make(chan verdict, 1)}
	b.votes = make(chan vote, b.n)
	var err error
	if b.count, err = credit.NewAgreement(job.Quorum(), b.n); err != nil {
		return mesh.JobOutcome{}, err
	}
	places, err := b.place(ctx)
	if err != nil {
		return mesh.JobOutcome{}, err
	}
	// The copies outlive the caller's wait, not its giving up before the verdict.
	running, cancel := context.WithDeadline(context.WithoutCancel(ctx), job.Deadline)
	stopCaller := context.AfterFunc(ctx, cancel)
	stopLife := context.AfterFunc(k.life, cancel)
	started = k.crew.start(b.n+1, func(i int) {
		if i < b.n {
			b.votes <- b.run(running, places[i])
			return
		}
		b.decide(running)
		stopLife()
		cancel()
		release()
	})
	if !started {
		for _, p := range places {
			chooser{k}.Done(p, mesh.JobOutcome{}, ErrStopped)
		}
		cancel()
		return mesh.JobOutcome{}, ErrStopped
	}
	v := <-b.reveal // each copy ends with running, and so does decide
	stopCaller()
	out.Node, out.Score, out.Attempts = v.place.Node, v.place.Score, v.attempts
	out.Local = out.Node == k.cfg.Self && v.err == nil
	o, err := v.out, v.err
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", mesh.ContextError(ctx), err)
		}
		o.Code = codeOf(err)
	}
	out.Code, out.Run, out.Queued, out.Fetched, out.Cost = o.Code, o.Run, o.Queued, o.FetchedBytes, o.Cost
	out.Output, out.OutputCID, out.Receipt = o.Output, o.OutputCID, o.Receipt
	return o, err
}

// place sets slots of n nodes aside.
func (b *ballot) place(ctx context.Context) ([]matchmaker.Placement, error) {
	_, chosen := span(ctx, "choose")
	places, err := b.tryPlace(ctx)
	if errors.Is(err, ErrReplicas) && b.k.discover(ctx, b.a.Job().Requirements.Capabilities) {
		places, err = b.tryPlace(ctx)
	}
	patience := time.NewTimer(replicaWait)
	defer patience.Stop()
	for waiting := true; waiting && errors.Is(err, ErrReplicas); {
		select {
		case <-time.After(replicaAgain):
			places, err = b.tryPlace(ctx)
		case <-patience.C:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
	}
	chosen(spanCode(mesh.JobOutcome{}, err))
	return places, err
}

func (b *ballot) tryPlace(ctx context.Context) (places []matchmaker.Placement, err error) {
	if asked := b.k.loop.ask(ctx, func(s *state) { places, err = b.choose(s) }); asked != nil {
		return nil, asked
	}
	return places, err
}

// choose runs on the loop.
func (b *ballot) choose(s *state) ([]matchmaker.Placement, error) {
	now := time.Now()
	req := requestOf(b.a.Job(), nil)
	var top [copiesFrom]scheduler.Choice
	n, err := s.index.TopK(req, now, top[:])
	if err != nil {
		return nil, err
	}
	sites := make([]credit.Site, n)
	for i, c := range top[:n] {
		sites[i] = credit.Site{Node: c.Node.ID, GeoHash: c.Node.GeoHash}
	}
	order := credit.Spread(sites, b.n, cellLength)
	if len(order) < b.n {
		return nil, fmt.Errorf("%w: %d of %d", ErrReplicas, len(order), b.n)
	}
	for _, site := range sites { // who was not picked stands in for who drops out
		if !slices.ContainsFunc(order, func(o credit.Site) bool { return o.Node == site.Node }) {
			order = append(order, site)
		}
	}
	if j := s.jobs.get(req.JobID, ""); j != nil {
		j.decision = s.decide(req, top[0], now)
		j.info.State, j.info.Node, j.info.Attempts = JobPlaced, order[0].Node, b.n
	}
	var places []matchmaker.Placement
	b.spares = nil
	for _, site := range order {
		p := matchmaker.Placement{Node: site.Node}
		for _, c := range top[:n] {
			if c.Node.ID == site.Node {
				p.Score = c.Score
			}
		}
		if len(places) == b.n || !s.reserve(&p, now) {
			b.spares = append(b.spares, p)
			continue
		}
		places = append(places, p)
	}
	if len(places) < b.n {
		for _, p := range places {
			s.giveBack(p)
		}
		return nil, fmt.Errorf("%w: %d of %d free", ErrReplicas, len(places), b.n)
	}
	return places, nil
}

// reserve sets a slot of p's node aside and gives p its ticket.
func (s *state) reserve(p *matchmaker.Placement, now time.Time) bool {
	slot := placement{at: now}
	ok := false
	if p.Node == s.k.cfg.Self {
		slot.own = s.takeSlot()
		ok = slot.own
	} else {
		slot.lease, ok = s.index.Acquire(p.Node, now)
	}
	if ok {
		s.ticket++
		p.Ticket = s.ticket
		s.placements[s.ticket] = slot
	}
	return ok
}

func (s *state) giveBack(p matchmaker.Placement) {
	slot := s.placements[p.Ticket]
	delete(s.placements, p.Ticket)
	if slot.own {
		s.returnSlot()
	} else {
		s.index.Release(slot.lease)
	}
}

// run has one copy done at p, or at a spare when p's node is busy or out of reach.
func (b *ballot) run(ctx context.Context, p matchmaker.Placement) vote {
	for {
		v := vote{place: p, started: time.Now()}
		progress := b.k.progress(b.a.Job().ID, b.sub.OnProgress)
		if p.Node == b.k.cfg.Self {
			v.out = b.k.execute(ctx, b.a, b.sub.Input, b.k.fetchFromPeers, progress)
		} else {
			v.out, v.promised, v.err = b.k.send(ctx, b.a, p.Node, b.sub, progress)
		}
		v.took = time.Since(v.started)
		chooser{b.k}.Done(p, v.out, v.err)
		undone := v.err == nil && v.out.Code == mesh.JobBusy || errors.Is(v.err, mesh.ErrUnsent)
		if !undone || ctx.Err() != nil {
			return v
		}
		next, ok := b.spare(ctx)
		if !ok {
			return v
		}
		b.end(ctx, &v, v.err)
		p = next
	}
}

func (b *ballot) spare(ctx context.Context) (p matchmaker.Placement, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.spares) > 0 && !ok {
		p, b.spares = b.spares[0], b.spares[1:]
		if b.k.loop.ask(ctx, func(s *state) { ok = s.reserve(&p, time.Now()) }) != nil {
			return p, false
		}
	}
	return p, ok
}

// end pays for a copy, or does not, and remembers how it went. err says what is
// wrong with it.
func (b *ballot) end(ctx context.Context, v *vote, err error) {
	if v.promised {
		err = b.k.settle(ctx, b.a, v.out, err)
	}
	b.k.judge(ctx, v.place.Node, v.out, err)
}

// decide counts the votes, reveals the verdict as soon as there is one, and ends
// every copy.
func (b *ballot) decide(ctx context.Context) {
	var open []vote // with an output, before the verdict
	var attempts []matchmaker.Attempt
	said := false
	say := func(v verdict) {
		said = true
		v.attempts = slices.Clone(attempts)
		b.reveal <- v
	}
	for range b.n {
		v := <-b.votes
		err := v.err
		if err == nil && v.out.Code != mesh.JobOK {
			err = &matchmaker.JobError{Node: v.place.Node, Code: v.out.Code, Reason: v.out.Reason, Message: v.out.Message}
		}
		attempts = append(attempts, matchmaker.Attempt{Node: v.place.Node, Score: v.place.Score, Started: v.started, Took: v.took, Err: err})
		if v.cid() == "" {
			b.end(ctx, &v, v.err)
		} else {
			open = append(open, v)
		}
		switch b.count.Add(credit.Vote{Node: v.place.Node, OutputCID: v.cid()}) {
		case credit.Agreed:
			won := b.tally(ctx, open)
			open = nil
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
			_ = b.k.settle(ctx, b.a, v.out, fmt.Errorf("%w: disputed", ErrResult))
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

// tally ends the copies whose output is known and returns the first that won, with
// what all of them cost.
func (b *ballot) tally(ctx context.Context, votes []vote) (won verdict) {
	var cost uint64
	for _, v := range votes {
		if v.cid() != b.count.Output() {
			b.end(ctx, &v, fmt.Errorf("%w: %d others agree on another output", ErrResult, b.a.Job().Quorum()))
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
