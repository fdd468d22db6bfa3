package placement

import (
	"errors"
	"slices"
	"time"

	"inos/internal/identity"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

const (
	// lastFrom is how many of the best nodes a job's last attempt may go to. Strangers that come
	// and go stay known until their profiles expire, and look better than they are.
	lastFrom = 256
	// busyFrom is the number of known nodes up to which all of them are looked at for one that is
	// worth waiting for; that takes some 100 µs.
	busyFrom = 4096
	// failing is the count of failures from which on a node is not healthy.
	failing = 0.5
)

// provenWait is how long a job's last attempt waits for the most reliable node while only others
// are free. It waits for at most half of the time that its deadline leaves.
const provenWait = 30 * time.Second

// hearingWait is how long a job's last attempt waits for a node that has not failed such jobs while
// only others are known: a node that is new to the mesh hears of the others within seconds. It
// waits for at most half of the time that its deadline leaves.
const hearingWait = 10 * time.Second

// lastNode returns the node for a job's last attempt. It is one of the best nodes that have done
// jobs for this node and have not failed lately: the one that has been there the longest without
// being lost. Where no node has done any, as at a node that came for one job, it is the one that
// has been connected the longest, or best where none is better. busy: the node has no free slot,
// and the job may still wait for one.
func (t *Table) lastNode(w matchmaker.Waiting, req scheduler.Request, best scheduler.Choice, now time.Time) (c scheduler.Choice, busy bool) {
	top := make([]scheduler.Choice, lastFrom)
	known := req
	known.Known, known.Exclude = true, append(slices.Clone(req.Exclude), t.suspect.of(w.Job.Admitted(), now)...)
	n, _ := t.index.TopK(known, now, top) // a bad request has not come so far
	if n > 0 {
		c = t.steadiest(top[0], top[1:n])
		return c, t.busySteadier(known, c, now) && t.mayWait(w, provenWait, now)
	}
	_, err := t.index.Choose(known, now)
	n, _ = t.index.TopK(req, now, top)
	connected := slices.DeleteFunc(top[:n], func(c scheduler.Choice) bool { return !t.connected(c.Node.ID) })
	c = t.steadiest(best, connected)
	if errors.Is(err, scheduler.ErrBusy) || t.busySteadier(req, c, now) {
		busy = t.mayWait(w, provenWait, now)
	}
	return c, busy
}

// busySteadier reports whether a connected node that lacks only a free slot for req is worth
// waiting for instead of c: it is healthy, and c is not, or has been there for less than half as
// long. With more than busyFrom nodes none is looked at.
func (t *Table) busySteadier(req scheduler.Request, c scheduler.Choice, now time.Time) (found bool) {
	if t.index.Len() > busyFrom || c.Node.ID == t.cfg.Self {
		return false
	}
	loose := !t.connected(c.Node.ID) || c.Node.Failures >= failing
	_ = t.index.EachBusy(req, now, func(n scheduler.Node) bool { // a bad request is refused before
		young := now.Sub(t.steadySince(c.Node)) < now.Sub(t.steadySince(n))/2
		found = t.connected(n.ID) && n.Failures < failing && (loose || young)
		return !found
	})
	return found
}

func (t *Table) connected(id identity.PeerID) bool {
	n := t.nodes[id]
	return n != nil && n.connected
}

// steadiest returns the most reliable of all.
func (t *Table) steadiest(c scheduler.Choice, others []scheduler.Choice) scheduler.Choice {
	for _, other := range others {
		if t.steadier(other.Node, c.Node) {
			c = other
		}
	}
	return c
}

// steadier reports whether a is the more reliable of two nodes.
func (t *Table) steadier(a, b scheduler.Node) bool {
	if well := a.Failures < failing; well != (b.Failures < failing) {
		return well
	}
	return t.steadySince(a).Before(t.steadySince(b))
}

// steadySince is the time since which a node has been there; this node itself always has.
func (t *Table) steadySince(n scheduler.Node) time.Time {
	if known := t.nodes[n.ID]; known != nil {
		return known.steady
	}
	return t.since
}

// mayWait reports whether w's last attempt may still wait: it has waited for less than atMost, and
// for less than half of the time that its deadline left. The choice is made again when that time is
// over.
func (t *Table) mayWait(w matchmaker.Waiting, atMost time.Duration, now time.Time) bool {
	j := w.Job.(Job)
	h := j.History()
	if h.lastSince.IsZero() {
		h.lastSince = now
	}
	if deadline := j.Admitted().Job().Deadline; !deadline.IsZero() {
		atMost = min(atMost, deadline.Sub(h.lastSince)/2)
	}
	left := atMost - now.Sub(h.lastSince)
	if left > 0 && h.stopWait == nil {
		h.stopWait = t.cfg.Effects.KickAfter(left)
	}
	return left > 0
}
