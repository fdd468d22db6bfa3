package bridge

import (
	"context"
	"errors"

	"inos/internal/governance"
)

// Stable codes of errors that the bridge itself raises. Codes of the kernel's
// parts come from the parts.
const (
	CodeBadArgument  = "bad_argument"
	CodeUnknownVerb  = "unknown_verb"
	CodeJavaScript   = "javascript_error"
	CodeKernelClosed = "kernel_closed"
	CodeTooManyCalls = "too_many_calls"
	CodeDeadline     = "deadline"
	CodeCancelled    = "cancelled"
	CodeInternal     = "internal"
)

// Error is an error with a code that scripts may compare.
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Message }

var (
	errClosed       = &Error{Code: CodeKernelClosed, Message: "the kernel is closed; reload the page to start another"}
	errTooManyCalls = &Error{Code: CodeTooManyCalls, Message: "too many calls are pending; wait for some to settle"}
)

// coder is what errors with a code of their own implement.
type coder interface{ Code() string }

// codeOf names err by the code of the innermost part that knew it.
func codeOf(err error) string {
	var own *Error
	if errors.As(err, &own) {
		return own.Code
	}
	var rejected *governance.Rejection
	if errors.As(err, &rejected) {
		return rejected.Code
	}
	var c coder
	if errors.As(err, &c) {
		return c.Code()
	}
	for _, known := range sentinels {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return CodeDeadline
	case errors.Is(err, context.Canceled):
		return CodeCancelled
	}
	return CodeInternal
}
