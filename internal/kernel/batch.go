package kernel

import (
	"context"
	"fmt"
	"slices"
	"time"

	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// ChooseAll implements matchmaker.Batcher: jobs that wait together are placed
// together, among the known nodes.
func (c chooser) ChooseAll(ctx context.Context, jobs []matchmaker.Waiting) []matchmaker.Placement {
	all := jobs
	jobs = slices.DeleteFunc(slices.Clone(all), func(j matchmaker.Waiting) bool { return j.Job.Job().Copies() > 1 })
	if len(jobs) == 0 {
		return nil
	}
	reqs := make([]scheduler.Request, len(jobs))
	chosen := make([]func(code string), len(jobs))
	for i, j := range jobs {
		reqs[i] = requestOf(j.Job.Job(), j.Exclude)
		_, chosen[i] = span(j.Ctx, "choose")
	}
	placed := make([]matchmaker.Placement, len(jobs))
	if c.k.loop.ask(ctx, func(s *state) { s.placeAll(jobs, reqs, placed) }) != nil {
		return nil // each job asks for itself, and hears why
	}
	for i, p := range placed {
		if p.Node != "" {
			chosen[i]("")
		}
	}
	for i, j := range all { // those for several nodes ask for themselves
		if j.Job.Job().Copies() > 1 {
			placed = slices.Insert(placed, i, matchmaker.Placement{})
		}
	}
	return placed
}

func (s *state) placeAll(jobs []matchmaker.Waiting, reqs []scheduler.Request, placed []matchmaker.Placement) {
	now := time.Now()
	choices := make([]scheduler.Choice, len(reqs))
	s.index.Assign(reqs, now, choices)
	took := time.Since(now) / time.Duration(len(reqs))
	for i, c := range choices {
		if c.Node.ID == "" {
			continue
		}
		d := s.decide(reqs[i], c, now)
		d.Took = took
		if len(d.Top) > 0 && d.Top[0].Node.ID != c.Node.ID {
			d.Why = fmt.Sprintf("best for all of %d jobs that waited together", len(reqs))
		}
		placed[i] = s.setAside(reqs[i].JobID, c, jobs[i].Attempt, &d, now)
	}
}
