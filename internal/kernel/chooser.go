package kernel

import (
	"context"
	"errors"
	"time"

	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/kernel/quorum"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// chooser is placement as the matchmaker sees it.
type chooser struct{ k *Kernel }

// Choose implements matchmaker.Chooser: one job gets the best known node, several get the best
// matching.
func (c chooser) Choose(ctx context.Context, jobs []matchmaker.Waiting) []matchmaker.Choice {
	started := c.k.cfg.Now()
	out := make([]matchmaker.Choice, len(jobs))
	if err := c.k.loop.ask(ctx, func(s *state) { s.choose(jobs, out, time.Now()) }); err != nil {
		for i := range out {
			out[i] = matchmaker.Choice{Err: err}
		}
	}
	for i, o := range out {
		if o.Err == nil { // a job that found all nodes busy waits; that is no choice
			spanSince(jobs[i].Ctx, "choose", started)
		}
	}
	return out
}

// choose keeps the order of jobs. It matches those for one node together, up to the next job for
// several nodes.
func (s *state) choose(jobs []matchmaker.Waiting, out []matchmaker.Choice, now time.Time) {
	for from := 0; from < len(jobs); {
		j := jobs[from].Job.(*job)
		if j.run != nil {
			if out[from] = s.chooseGroup(j, now); errors.Is(out[from].Err, quorum.ErrReplicas) {
				out[from] = s.nodes.NoGroup(jobs[from], out[from].Err, now)
			}
			from++
			continue
		}
		to := from + 1
		for to < len(jobs) && jobs[to].Job.(*job).run == nil {
			to++
		}
		s.nodes.Choose(jobs[from:to], out[from:to], now)
		from = to
	}
}

// Look implements matchmaker.Chooser. It waits until the nodes that look best are measured, or asks
// the directory when there are none.
func (c chooser) Look(ctx context.Context, w matchmaker.Waiting) {
	k, j := c.k, w.Job.(*job)
	var p *placement.Probe
	var over chan struct{} // nil: the probe has ended
	if k.loop.ask(ctx, func(s *state) {
		if p = j.history.TakeProbe(); p != nil {
			over = s.probes[p]
		}
	}) != nil {
		return
	}
	if p == nil {
		k.discover(ctx, j.admitted.Job().Requirements.Capabilities)
		return
	}
	if over == nil {
		return
	}
	limit := time.NewTimer(placement.ProbeTimeout - time.Since(p.Began))
	defer limit.Stop()
	select {
	case <-over:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// Done implements matchmaker.Chooser.
func (c chooser) Done(p matchmaker.Placement, out mesh.JobOutcome, err error) {
	// The kernel's end is the only error, and then nobody needs the slot.
	_ = c.k.loop.tell(context.Background(), func(s *state) {
		now := time.Now()
		if g, several := p.Slot.(*quorum.Group); several {
			s.nodes.GiveBack(g.Members, now) // empty once the run has started: each replica has given its own back
			s.k.matchmaker.Kick()
			return
		}
		slot := placement.SlotOf(p)
		if err == nil && out.Code == mesh.JobOK {
			s.runs.add(method{slot.Capsule, slot.Method}, min(out.Run, now.Sub(slot.At)))
		}
		s.nodes.Done(p, out, err, now)
		switch {
		case slot.Own && out.Code == mesh.JobBusy:
			s.cooling++ // its capsules have no room: the slot is free again from the next tick on
		case slot.Own:
			s.returnSlot(now)
		}
	})
}

// judge records what node did with a job, as far as the outcome alone shows it.
func (k *Kernel) judge(ctx context.Context, node identity.PeerID, out mesh.JobOutcome, err error) {
	if deed, ok := placement.DeedOf(out, err, ctx.Err() != nil); ok {
		// Without a loop there is no reputation to change.
		_ = k.loop.tell(context.Background(), func(s *state) { s.nodes.Record(node, deed, time.Now()) })
	}
}

// hedge returns after what time a second copy of the job follows the one on p: p's own p95. A job
// that came with a voucher has only that one to give, and so gets no second copy.
func (k *Kernel) hedge(submitted matchmaker.Job, p matchmaker.Placement) (after time.Duration, ok bool) {
	j := submitted.(*job)
	if j.admitted.Voucher() != nil || j.admitted.Job().ReplicasOrOne() > 1 {
		return 0, false
	}
	// Without a loop there is nothing to hedge.
	_ = k.loop.ask(k.life, func(s *state) { after, ok = s.nodes.AnswerTime(p.Node) })
	return after, ok
}
