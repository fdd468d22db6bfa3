package kernel

import (
	"slices"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
)

// What a node refuses, for its policy, its credit line or its capsule runtime, it will
// refuse again, and that says nothing of other jobs: so a node whose refusal another
// node has contradicted, by doing the job, gets no job of the same ledger and capsule
// for refusedFor, twice as long each time, up to maxRefused; unless nobody else can
// have it.
const (
	refusedFor = 10 * time.Second
	maxRefused = 5 * time.Minute
	lostTimes  = 10
	// refusalsAtMost bounds what is remembered; what ended first goes first.
	refusalsAtMost = 4096
)

// kindOfJob is what a node refuses.
type kindOfJob struct {
	ledger  identity.LedgerID
	capsule string
}

func kindOf(a governance.Admitted) kindOfJob { return kindOfJob{a.Ledger(), a.Job().Capsule} }

type shunned struct {
	until  time.Time
	length time.Duration
}

// refusals are the nodes that have refused a kind of job, by kind.
type refusals struct {
	by    map[kindOfJob]map[identity.PeerID]shunned
	count int
}

// note has node get no such jobs for a while: no less than lostTimes what it has held the
// job up for.
func (r *refusals) note(k kindOfJob, node identity.PeerID, held time.Duration, now time.Time) {
	if r.by == nil {
		r.by = make(map[kindOfJob]map[identity.PeerID]shunned)
	}
	if r.count >= refusalsAtMost {
		r.drop()
	}
	if r.by[k] == nil {
		r.by[k] = make(map[identity.PeerID]shunned)
	}
	old, again := r.by[k][node]
	if !again {
		r.count++
	}
	length := min(max(2*old.length, refusedFor, lostTimes*held), maxRefused)
	r.by[k][node] = shunned{now.Add(length), length}
}

// forgive forgets node's refusals of k: it has done one.
func (r *refusals) forgive(k kindOfJob, node identity.PeerID) {
	if _, ok := r.by[k][node]; !ok {
		return
	}
	r.count--
	delete(r.by[k], node)
	if len(r.by[k]) == 0 {
		delete(r.by, k)
	}
}

// of lists the nodes that get no jobs like a now.
func (r *refusals) of(a governance.Admitted, now time.Time) []identity.PeerID {
	if r.count == 0 {
		return nil
	}
	var out []identity.PeerID
	for id, x := range r.by[kindOf(a)] {
		if now.Before(x.until) {
			out = append(out, id)
		}
	}
	slices.Sort(out) // jobs of a kind exclude the same, and are seen to
	return out
}

// any reports whether some node gets no jobs like a now.
func (r *refusals) any(a governance.Admitted, now time.Time) bool { return len(r.of(a, now)) > 0 }

// drop forgets the half that ends first.
func (r *refusals) drop() {
	var ends []time.Time
	for _, nodes := range r.by {
		for _, x := range nodes {
			ends = append(ends, x.until)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	half := ends[len(ends)/2]
	for k, nodes := range r.by {
		for id, x := range nodes {
			if !x.until.After(half) {
				r.forgive(k, id)
			}
		}
	}
}
