package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"inos/internal/fault"
	"inos/internal/identity"
)

// never is the deadline of a job without one.
var never = time.Unix(1<<33, 0)

// DeadlineError says how the time of a job whose deadline has passed was spent. It matches
// ErrDeadline and context.DeadlineExceeded.
type DeadlineError struct {
	Waited   time.Duration   // in the queue, without a node
	For      string          // what it waited for last
	Transfer time.Duration   // with nodes, before the run began
	Ran      time.Duration   // on nodes
	Node     identity.PeerID // the last node, zero if there was none
	Tried    error           // the error of the last attempt, nil if there was none
	cause    error
}

func (e *DeadlineError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: it waited %v in the queue", e.cause, shown(e.Waited))
	if e.For != "" {
		b.WriteString(" for " + e.For)
	}
	if e.Node == "" {
		b.WriteString(" and was never sent to a node")
	} else {
		fmt.Fprintf(&b, ", was %v in transfer and ran %v on %s", shown(e.Transfer), shown(e.Ran), e.Node)
	}
	if e.Tried != nil {
		fmt.Fprintf(&b, "; the last attempt: %v", e.Tried)
	}
	return b.String()
}

// Unwrap returns the cause of the end.
func (e *DeadlineError) Unwrap() error { return e.cause }

// shown rounds d to at most three digits.
func shown(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

// late adds to err how the job's time was spent, when a deadline ended the job.
func (t *ticket) late(err error, now time.Time) error {
	var said *DeadlineError
	if !errors.Is(err, ErrDeadline) || errors.As(err, &said) {
		return err
	}
	e := &DeadlineError{Waited: max(now.Sub(t.arrived)-t.with, 0), For: t.waitsFor, Ran: min(t.ran, t.with), Node: t.lastNode, cause: err}
	e.Transfer = t.with - e.Ran
	if n := len(t.attempts); n > 0 && !errors.Is(t.attempts[n-1].Err, context.DeadlineExceeded) {
		e.Tried = t.attempts[n-1].Err
	}
	return e
}

// lacks records what t waits for.
func (t *ticket) lacks(c Choice) {
	t.apart, t.waitsFor = c.Apart, c.For
	switch {
	case t.waitsFor != "":
	case errors.Is(c.Err, ErrBusy):
		t.waitsFor = "a free slot"
	case errors.Is(c.Err, ErrLook):
		t.waitsFor = "news of the nodes"
	default:
		t.waitsFor = "a node that meets its requirements"
	}
}

// spent adds the time that an attempt took.
func (t *ticket) spent(a answer, took time.Duration) {
	if unsent(a.err) {
		return // it waited for a connection
	}
	t.with += took
	t.ran += a.out.Run
	t.lastNode = a.p.Node
}

// passed is the cause of a context that a deadline ends; it is ErrDeadline.
type passed struct{}

func (passed) Error() string { return ErrDeadline.Error() }

// Fault is ErrDeadline.
func (passed) Fault() *fault.Error { return ErrDeadline }

func (passed) Is(target error) bool {
	return target == ErrDeadline || target == context.DeadlineExceeded
}
