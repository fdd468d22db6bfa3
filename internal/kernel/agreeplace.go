package kernel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

const (
	// copiesFrom is how many candidates, best first, the nodes are spread over, and
	// copiesLook how often as many more are looked at while too few of them have owners
	// of their own.
	copiesFrom = 64
	copiesLook = 4
	// cellLength is the GeoHash prefix in which two nodes count as neighbours:
	// about 150 km.
	cellLength = 3
	// spareAgain is how often a copy whose node was busy after all looks for another.
	spareAgain = 250 * time.Millisecond
)

// choose sets slots of n nodes aside, all of them or none, under one ticket. Errors
// match matchmaker.ErrBusy when enough nodes are known and too few are free, and
// ErrReplicas when too few are known. It runs on the loop.
func (b *ballot) choose(s *state) matchmaker.Choice {
	now := time.Now()
	order, best, err := b.candidates(s, now)
	if err != nil {
		return matchmaker.Choice{Err: err}
	}
	var places []matchmaker.Placement
	b.spares = nil
	for _, p := range order { // who is not needed stands in for who drops out
		if len(places) == b.n || !s.reserve(&p, b.a.Job().Capsule, now) {
			b.spares = append(b.spares, p)
			continue
		}
		places = append(places, p)
	}
	if len(places) < b.n {
		s.giveBack(places)
		return matchmaker.Choice{Err: fmt.Errorf("%w: %d of %d free", matchmaker.ErrBusy, len(places), b.n)}
	}
	if err := s.fundAll(b.a.Job().ID, places, now); err != nil {
		s.giveBack(places)
		return short(err)
	}
	s.ticket++
	lead := places[0]
	lead.Ticket = s.ticket
	s.crews[s.ticket] = places
	if j := s.jobs.get(b.a.Job().ID, ""); j != nil {
		d := s.describe(requestOf(b.a.Job(), nil), nil, now)
		d.Latency = best.Node.Latency
		j.decide(d)
		j.info.State, j.info.Node, j.info.Attempts = JobPlaced, lead.Node, b.n
	}
	return matchmaker.Choice{Placement: lead}
}

// candidates are nodes of as many owners, best first, spread over GeoHash cells as
// long as there are enough. best is the best of all.
func (b *ballot) candidates(s *state, now time.Time) (order []matchmaker.Placement, best scheduler.Choice, err error) {
	req := requestOf(b.a.Job(), nil)
	look := req
	var sites []credit.Site
	var picked []credit.Site
	found := make(map[identity.PeerID]scheduler.Choice)
	for range copiesLook {
		var top [copiesFrom]scheduler.Choice
		n, err := s.index.TopK(look, now, top[:])
		if errors.Is(err, scheduler.ErrRequest) {
			return nil, best, err
		}
		if len(sites) == 0 {
			best = top[0]
		}
		for _, c := range top[:n] {
			sites = append(sites, credit.Site{Node: c.Node.ID, GeoHash: c.Node.GeoHash, Owner: string(s.owner(c.Node.ID))})
			found[c.Node.ID] = c
			look.Exclude = append(look.Exclude, c.Node.ID)
		}
		if picked = credit.Spread(sites, len(sites), cellLength); len(picked) >= b.n || n < copiesFrom {
			break
		}
	}
	if len(picked) < b.n {
		// Those that lack nothing but a free slot may come free.
		e, err := s.index.Explain(req, now, 0)
		if err == nil && len(picked)+e.Unlocks[scheduler.NeedSlot] >= b.n {
			err = fmt.Errorf("%w: %d of %d free", matchmaker.ErrBusy, len(picked), b.n)
		} else if err == nil {
			err = fmt.Errorf("%w: %d of %d", ErrReplicas, len(picked), b.n)
		}
		return nil, best, err
	}
	for _, site := range picked {
		c := found[site.Node]
		order = append(order, matchmaker.Placement{Node: site.Node, Score: c.Score, Price: c.Node.CreditCost})
	}
	return order, best, nil
}

// reserve sets a slot of p's node aside and gives p its ticket.
func (s *state) reserve(p *matchmaker.Placement, capsule string, now time.Time) bool {
	slot := placement{at: now, capsule: capsule}
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

// reservePaid is reserve with what the copy can cost.
func (s *state) reservePaid(p *matchmaker.Placement, asked governance.Job, now time.Time) bool {
	if !s.reserve(p, asked.Capsule, now) {
		return false
	}
	one := []matchmaker.Placement{*p}
	if s.fundAll(asked.ID, one, now) != nil {
		s.giveBack(one)
		return false
	}
	return true
}

// giveBack gives back the slots of places, and what is set aside with them. The caller
// has the queue kicked if anybody may have seen them taken.
func (s *state) giveBack(places []matchmaker.Placement) {
	for _, p := range places {
		slot := s.placements[p.Ticket]
		delete(s.placements, p.Ticket)
		slot.offer.release()
		if slot.own {
			s.freeSlot()
		} else {
			s.index.Release(slot.lease)
		}
	}
}

// disband gives back the slots of a crew that has not set out.
func (s *state) disband(ticket uint64) {
	s.giveBack(s.crews[ticket])
	delete(s.crews, ticket)
}

// spare sets a slot of a node aside that no copy has, and waits for one to come free
// until there is a verdict. ok is false when there are no such nodes.
func (b *ballot) spare(ctx context.Context) (p matchmaker.Placement, ok bool) {
	again := time.NewTicker(spareAgain)
	defer again.Stop()
	for {
		if p, ok = b.trySpare(ctx); ok {
			return p, true
		}
		b.mu.Lock()
		pointless := len(b.spares) == 0 || b.said != nil
		b.mu.Unlock()
		if pointless {
			return p, false
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return p, false
		}
	}
}

func (b *ballot) trySpare(ctx context.Context) (p matchmaker.Placement, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.spares {
		p = b.spares[i]
		if b.k.loop.ask(ctx, func(s *state) { ok = s.reservePaid(&p, b.a.Job(), time.Now()) }) != nil {
			return p, false
		}
		if ok {
			b.spares = slices.Delete(b.spares, i, i+1)
			return p, true
		}
	}
	return p, false
}

// ballot finds the job's entry in the table.
func (k *Kernel) ballot(ctx context.Context, jobID string) (b *ballot, err error) {
	if asked := k.loop.ask(ctx, func(s *state) {
		if j := s.jobs.get(jobID, ""); j != nil {
			b = j.ballot
		}
	}); asked != nil {
		return nil, asked
	}
	if b == nil {
		return nil, fmt.Errorf("%w: job %s is not in the table", ErrStopped, jobID)
	}
	return b, nil
}
