package scheduler

import (
	"fmt"
	"time"

	"inos/internal/fault"
	"inos/internal/identity"
)

// Choice is a node and why it won. Node.Capabilities belongs to the index.
type Choice struct {
	Node  Node
	Score float64
}

// Errors of a decision. ErrBusy is retryable once a node reports or returns a slot, ErrNoCandidate
// once another node is known. ErrRequest is final.
var (
	// ErrRequest: what the job requires is malformed. Advice: correct the requirement that the message names.
	ErrRequest = fault.Final("bad_requirements", "scheduler: bad request")
	// ErrNoCandidate: no node that is known may run the job. Advice: the message counts what each requirement
	// ruled out, and says which to relax; it names a clock that is wrong: [mesh.md](mesh.md#clocks-that-differ).
	ErrNoCandidate = fault.Retryable("no_candidate", "scheduler: no candidate")
	// ErrBusy: every node that may run the job is out of slots. Advice: try again, or give the job more time.
	ErrBusy = fault.Retryable("all_busy", "scheduler: every candidate is out of slots")
)

// query is a Request prepared for the search, together with the best node found so far.
type query struct {
	caps     *capabilities
	known    bool   // some node has each capability; if false, ids and mask are meaningless
	epoch    uint32 // the mark of the nodes that this decision excludes
	mask     uint64
	ids      []int32 // sorted
	exact    bool    // the mask alone decides
	geo      geoCode
	job      uint64 // hash
	best     score64
	tied     window
	cursor   cursor    // carries the filter
	todo     [64]int32 // nodes of the tournament still to visit
	idsSpace [MaxCapabilities]int32
}

// Choose returns the node with the highest score among those that meet every requirement of r at
// time now. It allocates nothing unless it fails. Errors match ErrRequest, ErrNoCandidate or
// ErrBusy.
func (x *Index) Choose(r Request, now time.Time) (Choice, error) {
	if err := x.prepare(&r, now); err != nil {
		return Choice{}, err
	}
	if !x.q.known {
		return Choice{}, ErrNoCandidate
	}
	if slot, ok := x.search(&x.ready, r.orNew(&x.newReady)); ok {
		return Choice{Node: x.node(slot), Score: x.nodes[slot].score}, nil
	}
	if _, ok := x.search(&x.busy, r.orNew(&x.newBusy)); ok {
		return Choice{}, ErrBusy
	}
	return Choice{}, ErrNoCandidate
}

// TopK fills dst with the choices that Choose would return in turn if each were excluded from the
// next decision. It returns how many there are.
func (x *Index) TopK(r Request, now time.Time, dst []Choice) (int, error) {
	return x.topOf(&x.ready, r.orNew(&x.newReady), r, now, dst)
}

// orNew returns the partition of unproven nodes when r accepts one, nil otherwise.
func (r *Request) orNew(s *partition) *partition {
	if r.Known {
		return nil
	}
	return s
}

// topOf is TopK among the nodes of s, and of more unless that is nil.
func (x *Index) topOf(s, more *partition, r Request, now time.Time, dst []Choice) (int, error) {
	if err := x.prepare(&r, now); err != nil || !x.q.known || s.count == 0 && (more == nil || more.count == 0) {
		return 0, err
	}
	for i := range dst {
		slot, ok := x.search(s, more)
		if !ok {
			return i, nil
		}
		dst[i] = Choice{Node: x.node(slot), Score: x.nodes[slot].score}
		x.nodes[slot].mark = x.q.epoch
	}
	return len(dst), nil
}

// prepare sets x.q to r and marks the excluded nodes. Errors match ErrRequest.
func (x *Index) prepare(r *Request, now time.Time) error {
	if err := x.q.prepare(x.caps, r, x.line.Nanos(now)); err != nil {
		return err
	}
	x.exclude(r.Exclude)
	return nil
}

// prepare translates r into the query. Errors match ErrRequest.
func (q *query) prepare(caps *capabilities, r *Request, now int64) error {
	geo, ok := parseGeo(r.GeoPrefix)
	switch {
	case r.JobID == "":
		return fmt.Errorf("%w: no job id", ErrRequest)
	case !ok:
		return fmt.Errorf("%w: geohash prefix %.20q", ErrRequest, r.GeoPrefix)
	case len(r.Exclude) > MaxExclude:
		return fmt.Errorf("%w: %d nodes to exclude", ErrRequest, len(r.Exclude))
	case len(r.Capabilities) > MaxCapabilities:
		return fmt.Errorf("%w: %d capabilities", ErrRequest, len(r.Capabilities))
	}
	q.caps, q.geo, q.job = caps, geo, hashText(r.JobID)
	q.cursor.f = filter{maxCost: r.MaxCost, now: now}
	if r.MaxCost == 0 {
		q.cursor.f.maxCost = 1<<64 - 1
	}
	q.ids, q.known = caps.resolve(q.idsSpace[:0], r.Capabilities)
	q.mask, q.exact = 0, true
	for _, id := range q.ids {
		q.mask |= maskOf(id)
		q.exact = q.exact && id < exactBits
	}
	return nil
}

// exclude marks the nodes that this decision must not choose.
func (x *Index) exclude(ids []identity.PeerID) {
	if x.q.epoch++; x.q.epoch == 0 { // wrapped: old marks would become valid again
		for i := range x.nodes {
			x.nodes[i].mark = 0
		}
		x.q.epoch = 1
	}
	for _, id := range ids {
		if slot, ok := x.ids.find(x.nodes, id); ok {
			x.nodes[slot].mark = x.q.epoch
		}
	}
}
