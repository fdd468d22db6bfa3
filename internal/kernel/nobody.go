package kernel

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"inos/internal/governance"
	"inos/internal/kernel/quorum"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// NobodyError says that a job waited until its deadline and no node was there that may
// run it, and why. It matches scheduler.ErrNoCandidate, or quorum.ErrReplicas where too few
// were there. Retryable.
type NobodyError struct {
	Waited   time.Duration
	Joined   bool // a mesh is attached
	Peers    int  // connected
	Known    int  // nodes, this one not counted
	Needs    governance.Requirements
	Decision Decision // counted when the wait ended
	Clocks   Clocks   // this machine's, beside the peers': one that is wrong may be why
	Tried    error    // how the last attempt went, nil where there was none
	Err      error
}

func (e *NobodyError) Unwrap() error { return e.Err }

func (e *NobodyError) Error() string {
	what := "no node"
	if errors.Is(e.Err, quorum.ErrReplicas) {
		what = "too few nodes"
	}
	s := fmt.Sprintf("kernel: %s for the job within %v: %s", what, e.Waited.Round(time.Millisecond), e.why())
	if e.Clocks.Wrong() {
		s += "; " + e.Clocks.String() + ": set it right"
	}
	if e.Tried != nil {
		s += "; the last attempt: " + e.Tried.Error()
	}
	return s
}

// why speaks of the first thing that is missing.
func (e *NobodyError) why() string {
	if e.Known == 0 {
		return e.alone() + e.own()
	}
	d := e.Decision
	if d.Feasible > 0 {
		return fmt.Sprintf("%s, and %d may run it", plural(d.Considered, "node is", "nodes are")+" known", d.Feasible)
	}
	s := plural(d.Considered, "node is", "nodes are") + " known, and none may run it: " + e.ruledOut()
	if advice := d.Advice(); len(advice) > 0 {
		s += ". " + strings.ToUpper(advice[0][:1]) + strings.Join(advice, "; ")[1:]
	}
	return s
}

// alone is why no other node is known.
func (e *NobodyError) alone() string {
	switch {
	case !e.Joined:
		return "this node has joined no mesh"
	case e.Peers == 0:
		return "no peer is connected"
	}
	return plural(e.Peers, "peer is", "peers are") + " connected, and none of them has offered to run jobs"
}

// own is what keeps the job from this node, where it takes jobs.
func (e *NobodyError) own() string {
	if e.Decision.Considered == 0 {
		return "; this node takes no jobs"
	}
	return "; this node itself may not run it: " + e.ruledOut()
}

// ruledOut counts the nodes that each requirement ruled out; one may miss several.
func (e *NobodyError) ruledOut() string {
	var parts []string
	for _, r := range scheduler.Requirements {
		n := e.Decision.RuledOut[r]
		if n == 0 {
			continue
		}
		var s string
		switch r {
		case scheduler.NeedCapabilities:
			s = plural(n, "lacks", "lack") + fmt.Sprintf(" a capability of %q", e.Needs.Capabilities)
		case scheduler.NeedGeo:
			s = plural(n, "lies", "lie") + fmt.Sprintf(" outside %q", e.Needs.GeoPrefix)
		case scheduler.NeedCost:
			s = plural(n, "costs", "cost") + fmt.Sprintf(" more than %d microcredits a second", e.Needs.MaxCost)
		case scheduler.NeedSlot:
			s = plural(n, "has", "have") + " no free slot"
		case scheduler.NeedUnexpired:
			s = plural(n, "was", "were") + " last heard of too long ago"
		case scheduler.NeedNotExcluded:
			s = plural(n, "is", "are") + " excluded by the job"
		case scheduler.NeedTrust:
			s = plural(n, "has", "have") + " failed too often lately"
		case scheduler.NeedReach:
			s = plural(n, "does", "do") + " not answer"
		case scheduler.NeedAnswer:
			s = plural(n, "has", "have") + " never answered"
		case scheduler.NeedDial:
			s = plural(n, "accepts", "accept") + " no connections from here, as browsers do not"
		default:
			s = plural(n, "is", "are") + fmt.Sprintf(" ruled out by %s", r)
		}
		parts = append(parts, s)
	}
	if parts == nil {
		return "none is left"
	}
	return strings.Join(parts, ", ")
}

func plural(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// nobody says why a job that has ended with err had no node. It runs on the loop.
func (s *state) nobody(j *job, attempts []matchmaker.Attempt, err error, now time.Time) *NobodyError {
	asked := j.admitted.Job()
	j.decide(s.explain(requestOf(asked, nil), now))
	e := &NobodyError{
		Waited: now.Sub(j.info.Submitted), Joined: s.k.mesh.Load() != nil, Peers: len(s.peers), Known: len(s.nodes),
		Needs: asked.Requirements, Decision: j.decision, Clocks: s.k.Clocks(), Err: err,
	}
	if n := len(attempts); n > 0 {
		e.Tried = attempts[n-1].Err
	}
	return e
}

// noNode reports whether err ended a job because no node was there for it.
func noNode(err error) bool {
	return errors.Is(err, matchmaker.ErrNobody) && !errors.Is(err, matchmaker.ErrAttempts)
}

// neverSent reports whether err ended a job in the queue: no node could have it.
func neverSent(err error) bool {
	late, ok := errors.AsType[*matchmaker.DeadlineError](err)
	return ok && late.Node == ""
}
