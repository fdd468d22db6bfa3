package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// ErrDisputed: too few of the nodes returned the same output; nobody is paid. Advice: dispatch the job again, to
// more nodes.
var ErrDisputed = fault.Final("disputed", "quorum: the nodes do not agree").Decisive()

// Nodes runs single replicas of a job. Its methods are called by several goroutines at once.
type Nodes interface {
	// Replicate runs the job on p's node once. It returns soon after ctx has ended. promised says
	// that money is held for the replica; Payer settles it.
	Replicate(ctx context.Context, p matchmaker.Placement) (out mesh.JobOutcome, promised bool, err error)
	// Reserve sets aside a slot of p's node, and what the replica can cost. ok is false when none
	// is free.
	Reserve(ctx context.Context, p matchmaker.Placement) (reserved matchmaker.Placement, ok bool)
	// Done gives p's slot back. It is called once for every placement with a slot.
	Done(p matchmaker.Placement, out mesh.JobOutcome, err error)
}

// Payer settles what was promised to nodes. Its methods are called by several goroutines at once.
type Payer interface {
	// Settle pays what out claims if err is nil. Otherwise it takes the promise back as far as it
	// cannot have been earned. It removes from out what is not paid. The error is err, or says what
	// is wrong with the claim.
	Settle(ctx context.Context, out *mesh.JobOutcome, took time.Duration, err error) error
	// Withdraw takes back the promise to node.
	Withdraw(node identity.PeerID)
}

// Outcomes records the outcomes on nodes. Its methods are called by several goroutines at once.
type Outcomes interface {
	// Ended: node ended its replica with out; err says what is wrong with it.
	Ended(ctx context.Context, node identity.PeerID, out mesh.JobOutcome, err error)
	// Contradicted: node failed with err after took at a job that others have done. claimed says
	// that it claims money nevertheless.
	Contradicted(node identity.PeerID, err error, took time.Duration, claimed bool)
	// RecordFailure: node ended without an output at a job that others have done.
	RecordFailure(node identity.PeerID)
}

// Config of a Run. All fields but Deadline are required.
type Config struct {
	Replicas int       // nodes that run the job
	Agree    int       // nodes of them that must return the same output
	Deadline time.Time // of the job; zero: each replica has its own time limit
	Nodes    Nodes
	Payer    Payer
	Outcomes Outcomes
	Runs     *Runs
}

// Group is the nodes of one Run. Members have a slot set aside each. Spares, best first, have none:
// they replace members that drop out.
type Group struct{ Members, Spares []matchmaker.Placement }

// Result is the result of a Run when its verdict was known.
type Result struct {
	Outcome   mesh.JobOutcome      // with the output agreed on, and the cost of all nodes that were paid
	Placement matchmaker.Placement // of the first that returned it
	Attempts  []matchmaker.Attempt // in the order in which replicas ended
	Err       error                // nil: they agree
}

// Run is one job on several nodes. Its methods are safe for concurrent use.
type Run struct {
	cfg     Config
	ended   chan replica
	decided chan struct{} // closed after result is set

	mu     sync.Mutex
	spares []matchmaker.Placement // without a slot
	result *Result
	active bool   // a replica is under way
	after  func() // called once no replica is under way
}

// replica is how the job went on one node.
type replica struct {
	place    matchmaker.Placement
	out      mesh.JobOutcome
	promised bool // money is held for it
	err      error
	settled  bool // it is paid or refused, and recorded
	started  time.Time
	took     time.Duration
}

// output is the CID of the node's output, empty without one.
func (r *replica) output() string {
	if r.err != nil || r.out.Code != mesh.JobOK {
		return ""
	}
	return r.out.OutputCID
}

// New makes a Run that is not started. Errors match ErrNoMajority.
func New(c Config) (*Run, error) {
	if _, err := NewAgreement(c.Agree, c.Replicas); err != nil {
		return nil, err
	}
	return &Run{cfg: c, ended: make(chan replica, c.Replicas), decided: make(chan struct{})}, nil
}

// Start runs the job on the members of g, which are Config.Replicas, until ctx ends or the deadline
// passes. It reports false, and has done nothing, when Runs is closed. It is called once. Once
// there is a verdict the end of ctx has no effect: the other replicas are waited for in the
// background. A node that returns the same output is paid; one that returns another is not, and
// loses reputation.
func (r *Run) Start(ctx context.Context, g Group) bool {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := func() {}
	if !r.cfg.Deadline.IsZero() {
		running, release = context.WithDeadline(running, r.cfg.Deadline)
	}
	ignoreCaller := context.AfterFunc(ctx, cancel)
	ignoreLife := context.AfterFunc(r.cfg.Runs.life, cancel)
	end := func() {
		ignoreCaller()
		ignoreLife()
		release()
		cancel()
	}
	r.spares, r.active = g.Spares, true
	started := r.cfg.Runs.start(r.cfg.Replicas+1, func(i int) {
		if i < r.cfg.Replicas {
			r.ended <- r.replicate(running, g.Members[i])
			return
		}
		r.decide(running, func() { ignoreCaller() })
		end()
		r.over()
	})
	if !started {
		end()
		r.over()
	}
	return started
}

func (r *Run) over() {
	r.mu.Lock()
	after := r.after
	r.active, r.after = false, nil
	r.mu.Unlock()
	if after != nil {
		after()
	}
}

// AfterEnd calls f once no replica is under way: at once, or when the last one has ended. It is
// called once; if Start is called at all, after Start.
func (r *Run) AfterEnd(f func()) {
	r.mu.Lock()
	active := r.active
	r.after = f
	r.mu.Unlock()
	if !active {
		r.over()
	}
}

// Wait blocks until the verdict of a Run that was started, and returns it. Errors match
// ErrDisputed, after which no other choice of nodes is tried.
func (r *Run) Wait() (mesh.JobOutcome, error) {
	<-r.decided // each replica ends with its context, and so does decide
	if err := r.result.Err; err != nil {
		return r.result.Outcome, undecided{err}
	}
	return r.result.Outcome, nil
}

// Result is what Wait returned, with its history; nil before.
func (r *Run) Result() *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result
}

// undecided is the end of a Run without an agreement.
type undecided struct{ error }

func (u undecided) Unwrap() error { return u.error }

// Final implements matchmaker.Final.
func (undecided) Final() bool { return true }

// replicate runs the job at p, or at a spare when p's node is busy or out of reach.
func (r *Run) replicate(ctx context.Context, p matchmaker.Placement) replica {
	for {
		one := replica{place: p, started: time.Now()}
		one.out, one.promised, one.err = r.cfg.Nodes.Replicate(ctx, p)
		one.took = time.Since(one.started)
		r.cfg.Nodes.Done(p, one.out, one.err)
		busy := one.err == nil && one.out.Code == mesh.JobBusy
		if !busy && !errors.Is(one.err, mesh.ErrUnsent) || ctx.Err() != nil {
			return one
		}
		r.settle(ctx, &one, one.err) // before another replica promises something to the same node
		if busy {                    // the slot may get free for this replica or for another
			r.mu.Lock()
			r.spares = append(r.spares, p)
			r.mu.Unlock()
		}
		next, ok := r.spare(ctx)
		if !ok {
			return one
		}
		p = next
	}
}

// retrySpare is how often a replica whose node turned out to be busy looks for another node.
const retrySpare = 250 * time.Millisecond

// spare sets a slot of a spare aside. It waits for one to get free until there is a verdict. ok is
// false when there are no spares.
func (r *Run) spare(ctx context.Context) (p matchmaker.Placement, ok bool) {
	again := time.NewTicker(retrySpare)
	defer again.Stop()
	for {
		p, ok, pointless := r.trySpare(ctx)
		if ok || pointless {
			return p, ok
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return p, false
		}
	}
}

// trySpare sets a slot of a spare aside. pointless says that none will ever be free.
func (r *Run) trySpare(ctx context.Context) (p matchmaker.Placement, ok, pointless bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.spares {
		if p, ok = r.cfg.Nodes.Reserve(ctx, r.spares[i]); ok {
			r.spares = slices.Delete(r.spares, i, i+1)
			return p, true, false
		}
	}
	return p, false, len(r.spares) == 0 || r.result != nil
}

// settle pays for a replica, or refuses to, and records its outcome. err says what is wrong with
// it.
func (r *Run) settle(ctx context.Context, one *replica, err error) {
	if one.settled {
		return
	}
	one.settled = true
	if one.promised {
		err = r.cfg.Payer.Settle(ctx, &one.out, one.took, err)
	}
	r.cfg.Outcomes.Ended(ctx, one.place.Node, one.out, err)
}

// decide counts the outputs, announces the verdict as soon as there is one, and settles every
// replica. It calls verdict before the verdict is known outside.
func (r *Run) decide(ctx context.Context, verdict func()) {
	var open []replica // those that claim money, before the verdict
	var attempts []matchmaker.Attempt
	count, _ := NewAgreement(r.cfg.Agree, r.cfg.Replicas) // New has made one
	say := func(result Result) {
		if r.result != nil {
			return
		}
		verdict()
		result.Attempts = slices.Clone(attempts)
		r.mu.Lock()
		r.result = &result
		r.mu.Unlock()
		close(r.decided)
	}
	for range r.cfg.Replicas {
		one := <-r.ended
		err := one.err
		if err == nil && one.out.Code != mesh.JobOK {
			err = matchmaker.NodeError(one.place.Node, one.out)
		}
		attempts = append(attempts, matchmaker.Attempt{Node: one.place.Node, Score: one.place.Score, Started: one.started, Took: one.took, Err: err})
		if one.err == nil && one.out.Claims() {
			open = append(open, one)
		} else {
			r.settle(ctx, &one, one.err)
		}
		if count.Verdict() == Agreed && one.output() == "" { // one that failed earlier is among the attempts
			r.cfg.Outcomes.Contradicted(one.place.Node, err, one.took, one.out.Claims())
		}
		switch count.Add(Vote{Node: one.place.Node, OutputCID: one.output()}) {
		case Agreed:
			say(r.pay(ctx, open, count.Output()))
			open = nil
		case Disputed:
			if err == nil {
				err = mesh.ErrResult
			}
			say(Result{Err: fmt.Errorf("%w: %d answered, %d of %d must agree; the last: %w", ErrDisputed, len(attempts), r.cfg.Agree, r.cfg.Replicas, err)})
		}
	}
	// Without an agreement the liars cannot be told from the others: no node is paid, and none is
	// blamed.
	for _, one := range open {
		if one.promised {
			_ = r.cfg.Payer.Settle(ctx, &one.out, one.took, fmt.Errorf("%w: disputed", mesh.ErrResult))
		}
	}
	say(Result{Err: ErrDisputed}) // one node has answered twice
}

// pay settles the replicas whose output is known and returns the first that agrees, with the cost
// of all of them.
func (r *Run) pay(ctx context.Context, all []replica, agreed string) (first Result) {
	var cost uint64
	for _, one := range all {
		if one.output() != agreed {
			r.outvoted(ctx, &one)
			continue
		}
		r.settle(ctx, &one, nil)
		cost += one.out.Cost
		if first.Outcome.OutputCID == "" {
			first.Outcome, first.Placement = one.out, one.place
		}
	}
	first.Outcome.Cost = cost
	return first
}

// outvoted settles a replica without the output that was agreed on. It is not paid, whatever it
// claims. Another output is a lie, and so is a bill for more time than went by. A replica without
// an output does not show whether its node is to blame, but it has failed where others have not.
func (r *Run) outvoted(ctx context.Context, one *replica) {
	if one.output() != "" || one.out.Cost > credit.Bound(one.place.Price, one.took) {
		r.settle(ctx, one, fmt.Errorf("%w: %d others agree on another output", mesh.ErrResult, r.cfg.Agree))
		return
	}
	one.settled = true
	if one.promised {
		r.cfg.Payer.Withdraw(one.place.Node)
	}
	switch one.out.Code {
	case mesh.JobCreditExhausted, mesh.JobCrashed: // Contradicted and the attempts record the other ends
		r.cfg.Outcomes.RecordFailure(one.place.Node)
	}
}
