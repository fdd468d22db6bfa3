package kernel

import (
	"context"
	"fmt"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/kernel/quorum"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// replicas runs, pays and records single replicas of a job: it is what a quorum.Run needs of this
// node.
type replicas struct {
	k   *Kernel
	job *job
}

// newQuorumRun makes the run of a job on several nodes. The job waits in the queue like every other
// until all of them have a free slot.
func (k *Kernel) newQuorumRun(j *job) (*quorum.Run, error) {
	job, r := j.admitted.Job(), replicas{k, j}
	return quorum.New(quorum.Config{
		Replicas: job.ReplicasOrOne(), Agree: job.AgreeOrMajority(), Deadline: job.Deadline,
		Nodes: r, Payer: r, Outcomes: r, Runs: k.quorumRuns,
	})
}

// Replicate implements quorum.Nodes.
func (r replicas) Replicate(ctx context.Context, p matchmaker.Placement) (out mesh.JobOutcome, promised bool, err error) {
	a, sub, o := r.job.admitted, r.job.sub, offerOf(p)
	progress := r.k.progress(sub.Job.ID, sub.OnProgress)
	if p.Node == r.k.cfg.Self {
		return r.k.execute(ctx, a, o.terms, sub.Input, r.k.fetchFromPeers, progress), false, nil
	}
	return r.k.send(ctx, a, p, o, sub, progress)
}

// Reserve implements quorum.Nodes.
func (r replicas) Reserve(ctx context.Context, p matchmaker.Placement) (reserved matchmaker.Placement, ok bool) {
	// Without a loop there are no slots.
	err := r.k.loop.ask(ctx, func(s *state) { ok = s.reservePaid(&p, r.job, time.Now()) })
	return p, err == nil && ok
}

// Done implements quorum.Nodes.
func (r replicas) Done(p matchmaker.Placement, out mesh.JobOutcome, err error) {
	chooser{r.k}.Done(p, out, err)
}

// Settle implements quorum.Payer.
func (r replicas) Settle(ctx context.Context, out *mesh.JobOutcome, took time.Duration, err error) error {
	return r.k.settle(ctx, r.job.admitted, out, took, err)
}

// Withdraw implements quorum.Payer.
func (r replicas) Withdraw(node identity.PeerID) {
	r.k.cfg.Payments.Withdraw(r.job.admitted, node, r.k.cfg.Now())
}

// Ended implements quorum.Outcomes.
func (r replicas) Ended(ctx context.Context, node identity.PeerID, out mesh.JobOutcome, err error) {
	r.k.judge(ctx, node, out, err)
}

// Contradicted implements quorum.Outcomes.
func (r replicas) Contradicted(node identity.PeerID, err error, took time.Duration, claimed bool) {
	// Without a loop there is no score to lower.
	_ = r.k.loop.tell(context.Background(), func(s *state) {
		s.nodes.Contradicted(placement.KindOf(r.job.admitted), node, err, took, claimed, time.Now())
	})
}

// RecordFailure implements quorum.Outcomes.
func (r replicas) RecordFailure(node identity.PeerID) {
	_ = r.k.loop.tell(context.Background(), func(s *state) { s.nodes.Record(node, credit.DeedFailed, time.Now()) })
}

// runReplicas runs the job on the group of p, and returns as soon as enough of its nodes agree.
func (k *Kernel) runReplicas(ctx context.Context, run *quorum.Run, p matchmaker.Placement) (mesh.JobOutcome, error) {
	held := p.Slot.(*quorum.Group) // no other goroutine has it: Done follows
	g := *held
	*held = quorum.Group{} // each member has a slot of its own to give back
	if len(g.Members) == 0 || !run.Start(ctx, g) {
		for _, m := range g.Members {
			chooser{k}.Done(m, mesh.JobOutcome{}, ErrStopped)
		}
		return mesh.JobOutcome{}, ErrStopped
	}
	out, err := run.Wait()
	if err != nil {
		out.Code = codeOf(err)
	}
	return out, err
}

// chooseGroup sets slots aside for all replicas of j's job, or for none, as the slot of one
// Placement. Errors match matchmaker.ErrBusy when enough nodes are known and too few are free, and
// quorum.ErrReplicas when too few are known.
func (s *state) chooseGroup(j *job, now time.Time) matchmaker.Choice {
	asked := j.admitted.Job()
	n := asked.ReplicasOrOne()
	req := placement.RequestOf(asked, nil)
	order, best, err := quorum.Candidates(s.nodes, s.nodes.Owner, req, n, now)
	if err != nil {
		return matchmaker.Choice{Err: err}
	}
	var g quorum.Group
	for _, p := range order {
		if len(g.Members) == n || !s.nodes.Reserve(&p, asked.Capsule, now) {
			g.Spares = append(g.Spares, p)
			continue
		}
		g.Members = append(g.Members, p)
	}
	if len(g.Members) < n {
		s.nodes.GiveBack(g.Members, now)
		return matchmaker.Choice{Err: fmt.Errorf("%w: %d of %d free", matchmaker.ErrBusy, len(g.Members), n)}
	}
	if err := s.fundAll(j, g.Members, now); err != nil {
		s.nodes.GiveBack(g.Members, now)
		return placement.Unfunded(err)
	}
	lead := g.Members[0]
	lead.Slot = &g
	d := s.nodes.Describe(req, nil, now)
	d.Latency = best.Node.Latency
	j.history.Decide(d)
	j.info.State, j.info.Node, j.info.Attempts = JobPlaced, lead.Node, n
	return matchmaker.Choice{Placement: lead}
}

// reservePaid sets aside a slot of p's node, and what the replica can cost.
func (s *state) reservePaid(p *matchmaker.Placement, j *job, now time.Time) bool {
	if !s.nodes.Reserve(p, j.info.Capsule, now) {
		return false
	}
	one := []matchmaker.Placement{*p}
	if s.fundAll(j, one, now) != nil {
		s.nodes.GiveBack(one, now)
		return false
	}
	return true
}
