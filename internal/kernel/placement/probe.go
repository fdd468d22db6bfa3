package placement

import (
	"cmp"
	"time"

	"inos/internal/identity"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

const (
	// ProbeAtOnce is how many of the nodes that look best for a job are measured before it is
	// placed, where their latency is an estimate. It is also how many are measured at a time.
	ProbeAtOnce = 8
	// ProbeTimeout bounds how long the job waits for that.
	ProbeTimeout = 400 * time.Millisecond
	// probeAgain is how long a node that did not answer counts with its estimate.
	probeAgain = time.Minute
	// maxUnanswered is how many probes in a row may get no answer at all before jobs that have a
	// node wait for no more of them: some node then announces nodes that do not exist.
	maxUnanswered = 2
)

// Probe is a measurement of some nodes that jobs wait for, for at most ProbeTimeout.
type Probe struct {
	Nodes []identity.PeerID
	Began time.Time
	over  bool // all have answered, or will not
}

// ProbeEnded takes in that p gets no more answers.
func (t *Table) ProbeEnded(p *Probe) { p.over = true }

// uncertain is unsure for the nodes that look best for req.
func (t *Table) uncertain(w matchmaker.Waiting, req scheduler.Request, now time.Time) bool {
	if t.estimated == 0 {
		return false
	}
	var space [ProbeAtOnce]scheduler.Choice
	return t.unsure(w, req, t.best(req, now, space[:]), now)
}

// unsure reports whether w should wait for a probe. It probes the nodes of top whose latency is an
// estimate, and those that would rank before them but have never answered: once for each attempt,
// and each node once in a while.
func (t *Table) unsure(w matchmaker.Waiting, req scheduler.Request, top []scheduler.Choice, now time.Time) bool {
	if t.estimated == 0 {
		return false
	}
	h := w.Job.(Job).History()
	if h.measured >= w.Attempt {
		return false
	}
	wait, own := t.toMeasure(top, now)
	fresh := t.unheard(req, top, now)
	if t.unanswered < maxUnanswered || len(top) == 0 {
		if own = t.joined(own, fresh); wait == nil && t.newest != nil && now.Sub(t.newest.Began) < ProbeTimeout && !t.newest.over {
			wait = t.newest
		}
	} else if fresh != nil {
		t.start(fresh) // no job waits: these nodes may well not exist
	}
	if own != nil {
		t.start(own)
		wait = own
	}
	if wait != nil {
		h.measured, h.probe = w.Attempt, wait
	}
	return wait != nil
}

// AskOthers probes the nodes that would be suitable for a job that has no node now. One that
// answers wakes the job; if none does, there may be others.
func (t *Table) AskOthers(req scheduler.Request, now time.Time) {
	if t.estimated == 0 {
		return
	}
	if fresh := t.unheard(req, nil, now); fresh != nil {
		t.start(fresh)
	}
}

// unheard is a probe of the nodes that would rank among the best for req, as top do, had they ever
// answered; nil if all of them were asked lately.
func (t *Table) unheard(req scheduler.Request, top []scheduler.Choice, now time.Time) (p *Probe) {
	var space [ProbeAtOnce]scheduler.Choice
	found, _ := t.index.Unheard(req, now, space[:]) // a bad request is refused before
	for _, c := range space[:found] {
		n := t.nodes[c.Node.ID]
		if n == nil || len(top) >= ProbeAtOnce && c.Score <= top[len(top)-1].Score {
			break
		}
		if p == nil {
			p = &Probe{Began: now}
		}
		n.asked, n.probe = now, p
		p.Nodes = append(p.Nodes, c.Node.ID)
		t.index.SetAsked(c.Node.ID, true)
		t.asked = append(t.asked, c.Node.ID)
	}
	if p != nil {
		t.newest = p
	}
	return p
}

// joined is fresh, added to own where there is such a probe.
func (t *Table) joined(own, fresh *Probe) *Probe {
	if own == nil || fresh == nil {
		return cmp.Or(own, fresh)
	}
	own.Nodes = append(own.Nodes, fresh.Nodes...)
	for _, id := range fresh.Nodes {
		t.nodes[id].probe = own
	}
	t.newest = own
	return own
}

// askAgain allows another probe of the nodes that have not answered for a while.
func (t *Table) askAgain(now time.Time) {
	for len(t.asked) > 0 {
		id := t.asked[0]
		if n := t.nodes[id]; n != nil && now.Sub(n.asked) < probeAgain {
			return
		}
		t.index.SetAsked(id, false)
		t.asked = t.asked[1:]
	}
}

// toMeasure returns a probe of those of nodes that are to be measured now, and a probe under way
// that measures one of them.
func (t *Table) toMeasure(nodes []scheduler.Choice, now time.Time) (underWay, own *Probe) {
	for _, c := range nodes {
		n := t.nodes[c.Node.ID]
		switch {
		case n == nil || n.rtt > 0: // this node itself, or a measured one
		case n.probe != nil && !n.probe.over:
			if now.Sub(n.probe.Began) < ProbeTimeout {
				underWay = n.probe
			}
		case n.asked.IsZero() || now.Sub(n.asked) >= probeAgain:
			if own == nil {
				own = &Probe{Began: now}
			}
			own.Nodes = append(own.Nodes, c.Node.ID)
			n.asked, n.probe = now, own
		}
	}
	return underWay, own
}

// start starts p. Jobs wait for it for ProbeTimeout; later answers are still taken in.
func (t *Table) start(p *Probe) {
	if p.over = !t.cfg.Effects.Probe(p); !p.over {
		t.unanswered++ // until a node answers
	}
}
