package bridge

import (
	"context"
	"errors"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// Stable codes of errors that the bridge itself raises. Codes of the kernel's
// parts come from the parts.
const (
	CodeBadArgument  = "bad_argument"
	CodeUnknownVerb  = "unknown_verb"
	CodeJavaScript   = "javascript_error"
	CodeKernelClosed = "kernel_closed"
	CodeUnknownJob   = "unknown_job"
	CodeTooManyCalls = "too_many_calls"
	CodeDeadline     = "deadline"
	CodeCancelled    = "cancelled"
	CodeInternal     = "internal"
)

// Error is an error with a code that scripts may compare.
type Error struct {
	Code    string
	Message string
	Again   bool // the same call may succeed later
}

func (e *Error) Error() string { return e.Message }

var (
	errClosed       = &Error{Code: CodeKernelClosed, Message: "the kernel is closed; reload the page to start another"}
	errTooManyCalls = &Error{Code: CodeTooManyCalls, Message: "too many calls are pending; wait for some to settle", Again: true}
)

// coder is what errors with a code of their own implement.
type coder interface {
	error
	Code() string
}

// verdict is the stable code of err, named by the innermost part that knew it, and
// whether the same call may succeed later.
func verdict(err error) (code string, again bool) {
	var own *Error
	if errors.As(err, &own) {
		return own.Code, own.Again
	}
	var rejected *governance.Rejection
	if errors.As(err, &rejected) {
		return rejected.Code, rejected.Retryable()
	}
	var c coder
	if errors.As(err, &c) {
		r, ok := c.(interface{ Retryable() bool })
		return c.Code(), ok && r.Retryable()
	}
	var fed *kernel.FeedError
	if errors.As(err, &fed) {
		return said(fed.Reason, mesh.Remote), fed.Retryable()
	}
	for _, known := range sentinels {
		if errors.Is(err, known.err) {
			return known.code, known.retryable
		}
	}
	var job *matchmaker.JobError
	if errors.As(err, &job) {
		fallback, known := jobCodes[job.Code]
		if !known {
			fallback = mesh.Remote
		}
		return said(job.Reason, fallback), job.Retryable()
	}
	if code, again = capsule.CodeOf(err); code != "" {
		return code, again
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return CodeDeadline, retryable
	case errors.Is(err, context.Canceled):
		return CodeCancelled, final
	}
	return CodeInternal, final
}

// replyError is a reply that is not OK: its reason is the code, where it has one.
func replyError(r capsule.Reply) *Error {
	e := &Error{Code: said(r.Reason, replyCode(r.Code)), Message: r.Message}
	e.Again = capsule.Retryable(e.Code)
	for _, known := range sentinels {
		if known.code == e.Code {
			e.Again = known.retryable
			break
		}
	}
	return e
}

// CodeOf is the stable code of err, as InosError.code says it, and whether the same call
// may succeed later.
func CodeOf(err error) (code string, again bool) { return verdict(err) }

func codeOf(err error) string {
	code, _ := verdict(err)
	return code
}
