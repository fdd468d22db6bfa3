// Package fault makes the errors that callers distinguish. Each has a code, which scripts and other
// nodes compare, and says whether the same call may succeed later. The package decides which code
// of a chain of errors counts; it does no I/O. Every sentinel of every package is made here. Those
// that the console shows have a comment with their meaning and, after "Advice:", with what to do.
// web/codes.d.ts, web/src/codes.ts and docs/errors.md are generated from these comments, and so is
// codes.go (go generate ./internal/fault).
package fault

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Error is a sentinel. Callers compare it by errors.Is and wrap it with %w.
type Error struct {
	code, text string
	retryable  bool
	rank       rank
}

// rank orders the errors of one chain: the code of the highest rank counts; among equals, the
// outermost.
type rank uint8

const (
	internal rank = iota // between packages; not for the console
	standard             // the standard library's
	broad                // says what was tried; the wrapped error says why
	plain
	decisive // counts whatever it is wrapped in
)

// The three makers are small enough to be inlined: then a package variable that is initialised with
// one of them is data, and costs no code at the start.

// Final makes a sentinel for a call that fails again however often it is tried.
func Final(code, text string) *Error { return &Error{code, text, false, plain} }

// Retryable makes a sentinel for a call that may succeed later.
func Retryable(code, text string) *Error { return &Error{code, text, true, plain} }

// Internal makes a sentinel between packages. Its code is "internal", should the console ever show
// it alone.
func Internal(text string) *Error { return &Error{"internal", text, false, internal} }

// Broad ranks e below the errors that it wraps, since they say why.
func (e *Error) Broad() *Error { return e.ranked(broad) }

// Decisive ranks e above the errors that it is wrapped in.
func (e *Error) Decisive() *Error { return e.ranked(decisive) }

func (e *Error) ranked(r rank) *Error {
	e.rank = r
	return e
}

func (e *Error) Error() string { return e.text }

// Code is the stable name.
func (e *Error) Code() string { return e.code }

// Retryable reports whether the same call may succeed later.
func (e *Error) Retryable() bool { return e.retryable }

// Fault is e itself; it implements Carrier.
func (e *Error) Fault() *Error { return e }

// Of reports whether e is for the console and belongs to one of these packages: its text begins
// with the package's name.
func (e *Error) Of(packages ...string) bool {
	name, _, _ := strings.Cut(e.text, ":")
	return e.rank != internal && slices.Contains(packages, name)
}

// With is a copy of e with another answer to whether the same call may succeed later. The result is
// no sentinel: errors.Is does not match it.
func (e *Error) With(retryable bool) *Error { return &Error{e.code, e.text, retryable, plain} }

// Carrier is an error whose code is known only when it is made, such as another node's error about
// a job.
type Carrier interface {
	error
	Fault() *Error
}

// Errors of the standard library.
var (
	// Deadline: the time for the call is over. Advice: give it more time; the message says how long it waited, for
	// what, and how long it ran.
	Deadline = Retryable("deadline", "deadline exceeded").ranked(standard)
	// Cancelled: the call was cancelled. Advice: nothing, or call again.
	Cancelled = Final("cancelled", "cancelled").ranked(standard)
	// Unsupported: this node, browser or kind of capsule cannot do it. Advice: do it elsewhere.
	Unsupported = Final("unsupported", "unsupported").ranked(standard)
	// Unexpected: the kernel did not expect this error. Advice: report it, with the message.
	Unexpected = Final("internal", "internal error").ranked(internal)
)

// Find is the error of err's chain whose code counts: the one of the highest rank; among equals,
// the outermost. It is never nil: Unexpected when there is none.
func Find(err error) *Error {
	if e := Among(err, func(*Error) bool { return true }); e != nil {
		return e
	}
	return Unexpected
}

// Among is Find among the errors of the chain that may allows; nil when there is none.
func Among(err error, may func(*Error) bool) *Error { return pick(err, may, nil) }

// pick returns best, or an error of higher rank in err's chain.
func pick(err error, may func(*Error) bool, best *Error) *Error {
	if e := own(err); e != nil && (best == nil || e.rank > best.rank) && may(e) {
		best = e
	}
	switch w := err.(type) {
	case interface{ Unwrap() error }:
		return pick(w.Unwrap(), may, best)
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			best = pick(inner, may, best)
		}
	}
	return best
}

// own is the Error that err itself carries, nil when it has none. The standard library's errors are
// found by errors.Is: errors of other modules may match them without wrapping them.
func own(err error) *Error {
	if c, ok := err.(Carrier); ok {
		return c.Fault()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Deadline
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, errors.ErrUnsupported):
		return Unsupported
	}
	return nil
}

// Lookup is an error with this code, nil when there is no such code. It is no sentinel: errors.Is
// does not match it.
func Lookup(code string) *Error {
	switch {
	case slices.Contains(strings.Fields(finalCodes), code):
		return &Error{code: code, rank: plain}
	case slices.Contains(strings.Fields(retryableCodes), code):
		return &Error{code: code, retryable: true, rank: plain}
	}
	return nil
}
