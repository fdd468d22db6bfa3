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

// never is the deadline of a job that has none.
var never = time.Unix(1<<33, 0)

// DeadlineError says where the time of a job went whose deadline has passed. It matches
// ErrDeadline and context.DeadlineExceeded.
type DeadlineError struct {
	Waited   time.Duration   // in the queue, without a node
	For      string          // what it waited for last
	Transfer time.Duration   // with nodes, before they began to run it
	Ran      time.Duration   // on nodes
	Node     identity.PeerID // the last one, zero if there was none
	Tried    error           // how the last attempt failed, nil if there was none
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

// Unwrap returns why it ended.
func (e *DeadlineError) Unwrap() error { return e.cause }

// shown is d with three digits at most.
func shown(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

// late says of a job that a deadline has ended where its time went.
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

// lacks notes what t waits for.
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

// spent counts what an attempt took.
func (t *ticket) spent(a answer, took time.Duration) {
	if unsent(a.err) {
		return // it has waited for a way there
	}
	t.with += took
	t.ran += a.out.Run
	t.lastNode = a.p.Node
}

// passed is ErrDeadline as it comes of a context.
type passed struct{}

func (passed) Error() string { return ErrDeadline.Error() }

// Fault is ErrDeadline.
func (passed) Fault() *fault.Error { return ErrDeadline }

func (passed) Is(target error) bool {
	return target == ErrDeadline || target == context.DeadlineExceeded
}
