package kernel

import (
	"errors"
	"slices"
	"time"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

const (
	// provenFrom is how many of the best nodes a job's last attempt may go to: strangers
	// that come and go stay known for as long as their profiles are good, and look better
	// than they are.
	provenFrom = 256
	// busyFrom is up to how many known nodes all of them are looked at for one that is worth
	// waiting for: some 100 µs.
	busyFrom = 4096
	// blemished is the count of failures from which on a node is no more one that is well.
	blemished = 0.5
)

// provenWait is how long a job's last attempt waits for the node to be relied on most while
// only others are free, and half of the time that its deadline leaves at most.
const provenWait = 30 * time.Second

// hearingWait is how long a job's last attempt waits, while only nodes are known that have
// failed such jobs, for one that has not: a node that is new to the mesh hears of the others
// within seconds. It is half of the time that its deadline leaves at most.
const hearingWait = 10 * time.Second

// proven is who gets a job's last attempt: of the best nodes that have done jobs for this
// node and have not failed lately the one that has been there the longest, without being
// lost. Where none has done any, as for a node that came for one job, it is the one that has
// been connected the longest, or best where that is no other. busy says that it has no free
// slot, and that the job has not waited for one for too long.
func (s *state) proven(w matchmaker.Waiting, req scheduler.Request, best scheduler.Choice, now time.Time) (c scheduler.Choice, busy bool) {
	top := make([]scheduler.Choice, provenFrom)
	known := req
	known.Known, known.Exclude = true, append(slices.Clone(req.Exclude), s.doubts.of(w.Job.Admitted(), now)...)
	n, _ := s.index.TopK(known, now, top) // a bad request has not come so far
	if n > 0 {
		c = s.steadiest(top[0], top[1:n])
		return c, s.busySteadier(known, c, now) && s.mayWait(w, provenWait, now)
	}
	_, err := s.index.Choose(known, now)
	n, _ = s.index.TopK(req, now, top)
	connected := slices.DeleteFunc(top[:n], func(c scheduler.Choice) bool { return !s.connectedTo(c.Node.ID) })
	c = s.steadiest(best, connected)
	if errors.Is(err, scheduler.ErrBusy) || s.busySteadier(req, c, now) {
		busy = s.mayWait(w, provenWait, now)
	}
	return c, busy
}

// busySteadier reports whether a connected node that lacks nothing for req but a free slot is
// worth waiting for rather than c: it is well, and c is not, or has not been there for half as
// long. With more than busyFrom nodes nobody looks.
func (s *state) busySteadier(req scheduler.Request, c scheduler.Choice, now time.Time) (found bool) {
	if s.index.Len() > busyFrom || c.Node.ID == s.k.cfg.Self {
		return false
	}
	loose := !s.connectedTo(c.Node.ID) || c.Node.Failures >= blemished
	_ = s.index.EachBusy(req, now, func(n scheduler.Node) bool { // a bad request has not come so far
		young := now.Sub(s.since(c.Node)) < now.Sub(s.since(n))/2
		found = s.connectedTo(n.ID) && n.Failures < blemished && (loose || young)
		return !found
	})
	return found
}

func (s *state) connectedTo(id identity.PeerID) bool {
	n := s.nodes[id]
	return n != nil && n.connected
}

// steadiest is the one of all to be relied on most.
func (s *state) steadiest(c scheduler.Choice, others []scheduler.Choice) scheduler.Choice {
	for _, other := range others {
		if s.steadier(other.Node, c.Node) {
			c = other
		}
	}
	return c
}

// mayWait reports whether w's last attempt has not waited for as long as atMost, or half of
// the time that its deadline left.
func (s *state) mayWait(w matchmaker.Waiting, atMost time.Duration, now time.Time) bool {
	j := w.Job.(*job)
	if j.lastSince.IsZero() {
		j.lastSince = now
	}
	if deadline := j.admitted.Job().Deadline; !deadline.IsZero() {
		atMost = min(atMost, deadline.Sub(j.lastSince)/2)
	}
	left := atMost - now.Sub(j.lastSince)
	if left > 0 && j.lastEnds == nil {
		j.lastEnds = time.AfterFunc(left, s.k.matchmaker.Kick)
	}
	return left > 0
}

// steadier reports whether a is the one of two nodes that have done jobs to be relied on.
func (s *state) steadier(a, b scheduler.Node) bool {
	if well := a.Failures < blemished; well != (b.Failures < blemished) {
		return well
	}
	return s.since(a).Before(s.since(b))
}

// since is how long a node has been there: this one always has.
func (s *state) since(n scheduler.Node) time.Time {
	if known := s.nodes[n.ID]; known != nil {
		return known.steady
	}
	return s.k.started
}

// shaken reports whether a hand-over that ended so says that its node does not run on.
func shaken(out mesh.JobOutcome, err error) bool {
	return lostOnTheWay(err) || ranOut(out, err) || out.Code == mesh.JobInternal || out.Code == mesh.JobCancelled
}
