package matchmaker

import (
	"context"

	"inos/internal/governance"
	"inos/internal/identity"
)

// Batcher is what a Chooser may be besides: one that places several waiting jobs
// together, which can be better than one after the other.
type Batcher interface {
	// ChooseAll returns as many placements as jobs, in their order: slots set aside
	// as by Choose. One without a node means that Choose shall be asked. It must not
	// wait for anything but its own account of the nodes.
	ChooseAll(ctx context.Context, jobs []Waiting) []Placement
}

// Waiting is a job that a Batcher places.
type Waiting struct {
	Ctx     context.Context // the job's own: it ends with the job, and carries its trace
	Job     governance.Admitted
	Attempt int // counts from 1
	Exclude []identity.PeerID
}

// batchAtMost bounds the jobs placed together.
const batchAtMost = 64

// batch pops further jobs for as long as hands are free. t and every further job
// hold one hand each.
func (m *Matchmaker) batch(t *ticket, hands chan struct{}) []*ticket {
	ready := []*ticket{t}
	if m.batcher == nil {
		return ready
	}
	for len(ready) < batchAtMost && m.queued() > 0 {
		select {
		case hands <- struct{}{}:
		default:
			return ready
		}
		next := m.pop()
		if next == nil { // withdrawn meanwhile
			<-hands
			return ready
		}
		ready = append(ready, next)
	}
	return ready
}

// placeAll gives the jobs of a batch their placements as far as there are any.
func (m *Matchmaker) placeAll(ctx context.Context, batch []*ticket) {
	if len(batch) < 2 {
		return
	}
	jobs := make([]Waiting, len(batch))
	for i, t := range batch {
		jobs[i] = Waiting{t.ctx, t.job, len(t.attempts) + 1, t.exclude}
	}
	for i, p := range m.chooseAll(ctx, jobs) {
		if p.Node != "" && i < len(batch) {
			batch[i].given, batch[i].hasGiven = p, true
		}
	}
}

func (m *Matchmaker) chooseAll(ctx context.Context, jobs []Waiting) (p []Placement) {
	var ignored error // each job asks Choose, which will say the same
	defer recovered(&ignored)
	return m.batcher.ChooseAll(ctx, jobs)
}

// queued counts the jobs that no hand has and that do not wait for a Kick.
func (m *Matchmaker) queued() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue)
}
