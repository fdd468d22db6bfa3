package quorum

import (
	"errors"
	"fmt"
	"time"

	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// ErrReplicas: fewer nodes than the job asks for can take it now. Advice: ask for fewer replicas, or wait; the
// message counts what each requirement ruled out.
var ErrReplicas = fault.Retryable("too_few_nodes", "quorum: too few nodes for the replicas asked for")

const (
	// searchAtOnce is how many candidates, best first, the choice of nodes begins with. searchTimes
	// is how often as many more are added while too few have different owners.
	// of their own.
	searchAtOnce = 64
	searchTimes  = 4
	// cellLength is the length of the GeoHash prefix that neighbours share: about 150 km.
	cellLength = 3
)

// Index knows the nodes. *scheduler.Index is one.
type Index interface {
	TopK(req scheduler.Request, now time.Time, dst []scheduler.Choice) (int, error)
	Explain(req scheduler.Request, now time.Time, top int) (scheduler.Explanation, error)
}

// Candidates are nodes for n replicas, best first: no two of one owner and, as long as there are
// enough, no two in one GeoHash cell. There are n at least; none has a slot set aside. best is the
// best node of all. owner returns the owner of a node, zero for none. Errors match
// matchmaker.ErrBusy when enough nodes are known and too few are free, ErrReplicas when too few are
// known, and scheduler.ErrRequest.
func Candidates(nodes Index, owner func(identity.PeerID) identity.PeerID, req scheduler.Request, n int, now time.Time) (order []matchmaker.Placement, best scheduler.Choice, err error) {
	more := req
	var sites, picked []Site
	found := make(map[identity.PeerID]scheduler.Choice)
	for range searchTimes {
		var top [searchAtOnce]scheduler.Choice
		got, err := nodes.TopK(more, now, top[:])
		if errors.Is(err, scheduler.ErrRequest) {
			return nil, best, err
		}
		if len(sites) == 0 {
			best = top[0]
		}
		for _, c := range top[:got] {
			sites = append(sites, Site{Node: c.Node.ID, GeoHash: c.Node.GeoHash, Owner: string(owner(c.Node.ID))})
			found[c.Node.ID] = c
			more.Exclude = append(more.Exclude, c.Node.ID)
		}
		if picked = Spread(sites, len(sites), cellLength); len(picked) >= n || got < searchAtOnce {
			break
		}
	}
	if len(picked) < n {
		return nil, best, tooFew(nodes, req, len(picked), n, now)
	}
	for _, site := range picked {
		c := found[site.Node]
		order = append(order, matchmaker.Placement{Node: site.Node, Score: c.Score, Price: c.Node.CreditCost})
	}
	return order, best, nil
}

// tooFew is the error for have nodes instead of n.
func tooFew(nodes Index, req scheduler.Request, have, n int, now time.Time) error {
	e, err := nodes.Explain(req, now, 0)
	switch {
	case err != nil:
		return err
	case have+e.Unlocks[scheduler.NeedSlot] >= n: // those that lack only a free slot may get one
		return fmt.Errorf("%w: %d of %d free", matchmaker.ErrBusy, have, n)
	}
	return fmt.Errorf("%w: %d of %d", ErrReplicas, have, n)
}

// Site is the place and the owner of a node, for Spread.
type Site struct {
	Node    identity.PeerID
	GeoHash string
	Owner   string // any name of the owner; empty: the node itself
}

// Spread picks up to n of sites, in their order (best first), so that no two share an owner and, as
// long as there are enough, no two are in one GeoHash cell of cell characters. The agreement of
// nodes that share both proves nothing.
func Spread(sites []Site, n, cell int) []Site {
	var out []Site
	owners, cells := map[string]bool{}, map[string]bool{}
	var second []Site
	for _, s := range sites {
		owner, c := s.Owner, s.GeoHash[:min(len(s.GeoHash), max(cell, 0))]
		if owner == "" {
			owner = string(s.Node)
		}
		if len(out) == n {
			return out
		}
		switch {
		case owners[owner]:
		case c != "" && cells[c]:
			second = append(second, s)
		default:
			owners[owner], cells[c] = true, true
			out = append(out, s)
		}
	}
	for _, s := range second {
		owner := s.Owner
		if owner == "" {
			owner = string(s.Node)
		}
		if len(out) < n && !owners[owner] {
			owners[owner] = true
			out = append(out, s)
		}
	}
	return out
}
