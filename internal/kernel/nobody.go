package kernel

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"inos/internal/kernel/placement"
	"inos/internal/kernel/quorum"
	"inos/internal/scheduler"
	"inos/internal/threads/matchmaker"
)

// NobodyError says that a job waited until its deadline and no node could run it, and why. It
// matches scheduler.ErrNoCandidate, or quorum.ErrReplicas where there were too few nodes.
// Retryable.
type NobodyError struct {
	Waited   time.Duration
	Joined   bool               // a mesh is attached
	Peers    int                // connected
	Known    int                // nodes, this one not counted
	Request  scheduler.Request  // what the job requires
	Decision placement.Decision // counted when the wait ended
	Clocks   Clocks             // compared with the peers': a wrong clock may be the reason
	Tried    error              // the error of the last attempt, nil without one
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

// why names the first thing that is missing.
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

// alone says why no other node is known.
func (e *NobodyError) alone() string {
	switch {
	case !e.Joined:
		return "this node has joined no mesh"
	case e.Peers == 0:
		return "no peer is connected"
	}
	return plural(e.Peers, "peer is", "peers are") + " connected, and none of them has offered to run jobs"
}

// own says why this node, where it takes jobs, cannot run the job.
func (e *NobodyError) own() string {
	if e.Decision.Considered == 0 {
		return "; this node takes no jobs"
	}
	return "; this node itself may not run it: " + e.ruledOut()
}

// ruledOut counts the nodes that each requirement ruled out. One node may miss several.
func (e *NobodyError) ruledOut() string {
	if counts := e.Decision.Counts(e.Request); len(counts) > 0 {
		return strings.Join(counts, ", ")
	}
	return "none is left"
}

func plural(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// nobody says why a job that has ended with err had no node. It runs on the loop.
func (s *state) nobody(j *job, attempts []matchmaker.Attempt, err error, now time.Time) *NobodyError {
	e := &NobodyError{
		Waited: now.Sub(j.info.Submitted), Joined: s.k.mesh.Load() != nil, Peers: s.nodes.Peers(), Known: s.nodes.Known(),
		Request: placement.RequestOf(j.admitted.Job(), nil), Decision: s.decideNow(j, now), Clocks: s.k.Clocks(), Err: err,
	}
	if n := len(attempts); n > 0 {
		e.Tried = attempts[n-1].Err
	}
	return e
}

// noNode reports whether err ended a job because there was no node for it.
func noNode(err error) bool {
	return errors.Is(err, matchmaker.ErrNobody) && !errors.Is(err, matchmaker.ErrAttempts)
}

// neverSent reports whether err ended a job in the queue, before any node got it.
func neverSent(err error) bool {
	late, ok := errors.AsType[*matchmaker.DeadlineError](err)
	return ok && late.Node == ""
}
