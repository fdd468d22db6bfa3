package placement

import (
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// Job is a job that wants a node, as the matchmaker has it.
type Job interface {
	matchmaker.Job
	// History is what the Table remembers of the job: always the same one.
	History() *History
}

// Offer is what is set aside with a slot: what the run may cost and how long it may take.
type Offer interface {
	// Until is when a run that is sent now has ended.
	Until(asked governance.Job, now time.Time) time.Time
	// Release gives back what has not become a hold. Calling it again is harmless.
	Release()
}

// History is what is remembered of one job from one choice to the next. The zero value is a job
// that nothing has been chosen for. Its job's owner calls End when the job has ended.
type History struct {
	decision Decision // the last one
	decided  bool     // there was one

	lookedUp    int           // the last attempt that the directory was asked for
	lookedUpAt  time.Time     // when
	lookUpAgain time.Duration // how long after that it is asked once more
	everLooked  bool

	lastSince time.Time // when its last attempt began to wait for a better node
	stopWait  func()    // ends that wait; nil: there is none
	measured  int       // the last attempt that nodes were measured for
	probe     *Probe    // that the job is to wait for
}

// LookupInterval is how old a lookup's answer may be: a flood of jobs that nobody can run costs
// one lookup of a capability in that time.
const LookupInterval = 2 * time.Second

// maxLookupInterval is the longest time between two lookups for a job that waits.
const maxLookupInterval = 30 * time.Second

// LookUp reports whether the directory shall be asked for the job: for each attempt, and
// while the job waits for a node now and then, twice as long apart each time.
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

// TakeProbe is the measurement that the job is to wait for, once; nil if there is none.
func (h *History) TakeProbe() (p *Probe) {
	p, h.probe = h.probe, nil
	return p
}

// Decide keeps d as the last decision about the job.
func (h *History) Decide(d Decision) {
	d.Looked = h.everLooked
	h.decision, h.decided = d, true
}

// Decision is the last one; false when the job waits for a node, so that what would be decided
// now says more.
func (h *History) Decision() (d Decision, decided bool) { return h.decision, h.decided }

// End stops what still runs for the job.
func (h *History) End() {
	if h.stopWait != nil {
		h.stopWait()
	}
}

// RequestOf is what a job requires, of nodes that have not failed it.
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
