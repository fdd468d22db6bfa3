package placement

import (
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// Job is the matchmaker's job that needs a node.
type Job interface {
	matchmaker.Job
	// History is the Table's record of the job: always the same one.
	History() *History
}

// Offer is what is set aside with a slot: an amount and a time for the run.
type Offer interface {
	// Until is the time by which a run that is sent now has ended.
	Until(asked governance.Job, now time.Time) time.Time
	// Release gives back what has not become a hold. Calling it again is harmless.
	Release()
}

// History is the record of one job from one choice to the next. The zero value is a job for which
// nothing was chosen yet. The job's owner calls End when the job has ended.
type History struct {
	decision Decision // the last one
	decided  bool     // there was one

	lookedUp    int           // the last attempt for which the directory was asked
	lookedUpAt  time.Time     // the time of that
	lookUpAgain time.Duration // the time after that until it is asked again
	everLooked  bool

	lastSince time.Time // when the last attempt began to wait for a better node
	stopWait  func()    // ends that wait; nil: it does not wait
	measured  int       // the last attempt for which nodes were measured
	probe     *Probe    // the one that the job is to wait for
}

// LookupInterval is the greatest age of a lookup that is used again: a flood of jobs that no node
// can run costs one lookup of a capability in that time.
const LookupInterval = 2 * time.Second

// maxLookupInterval is the longest time between two lookups for a job that waits.
const maxLookupInterval = 30 * time.Second

// LookUp reports whether the directory is to be asked for the job: once for each attempt, and again
// while the job waits for a node, each time after twice as long.
func (h *History) LookUp(attempt int, now time.Time) bool {
	if h.lookedUp >= attempt && now.Sub(h.lookedUpAt) < h.lookUpAgain {
		return false
	}
	if h.lookUpAgain = min(2*h.lookUpAgain, maxLookupInterval); h.lookedUp < attempt {
		h.lookUpAgain = LookupInterval
	}
	h.lookedUp, h.lookedUpAt, h.everLooked = attempt, now, true
	return true
}

// TakeProbe returns the measurement that the job is to wait for, once; nil if there is none.
func (h *History) TakeProbe() (p *Probe) {
	p, h.probe = h.probe, nil
	return p
}

// Decide records d as the last decision about the job.
func (h *History) Decide(d Decision) {
	d.Looked = h.everLooked
	h.decision, h.decided = d, true
}

// Decision is the last decision. false: the job waits for a node, and what would be decided now
// says more.
func (h *History) Decision() (d Decision, decided bool) { return h.decision, h.decided }

// End stops the job's timer.
func (h *History) End() {
	if h.stopWait != nil {
		h.stopWait()
	}
}

// RequestOf is what a job requires of a node. failed are the nodes that have failed it; they are
// excluded.
func RequestOf(job governance.Job, failed []identity.PeerID) scheduler.Request {
	r := job.Requirements
	var exclude []identity.PeerID
	for _, id := range r.Exclude {
		exclude = append(exclude, identity.PeerID(id))
	}
	return scheduler.Request{
		JobID: job.ID, Capabilities: r.Capabilities, GeoPrefix: r.GeoPrefix, MaxCost: r.MaxCost,
		Exclude: append(exclude, failed...),
	}
}
