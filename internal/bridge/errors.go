package bridge

import (
	"fmt"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/mesh"
)

// Errors that the bridge itself finds. Their codes count whatever they are wrapped in.
var (
	// errBadArgument: an argument of the call is not what the verb takes. Advice: correct the one that the message
	// names; 0 is no way to say "no limit".
	errBadArgument = fault.Final("bad_argument", "bridge: bad argument").Decisive()
	// errUnknownVerb: there is no such verb. Advice: `inos.help()` lists them.
	errUnknownVerb = fault.Final("unknown_verb", "bridge: no such verb").Decisive()
	// errJavaScript: JavaScript that the kernel called threw: a stream's source, or the browser. Advice: the
	// message has its words.
	errJavaScript   = fault.Final("javascript_error", "bridge: JavaScript threw").Decisive()
	errClosed       = fault.Final("kernel_closed", "the kernel is closed; reload the page to start another").Decisive()
	errTooManyCalls = fault.Retryable("too_many_calls", "too many calls are pending; wait for some to settle").Decisive()
)

// Error is an error with a message of its own.
type Error struct {
	Kind    *fault.Error
	Message string
}

func (e *Error) Error() string { return e.Message }

// Fault is e's kind.
func (e *Error) Fault() *fault.Error { return e.Kind }

// failed is an Error of kind.
func failed(kind *fault.Error, format string, args ...any) error {
	return &Error{kind, fmt.Sprintf(format, args...)}
}

// replyError is the error of a reply that is not OK. The reply's reason is the code, where it has
// one.
func replyError(r capsule.Reply) error {
	kind := r.Code.Fault()
	if kind == nil {
		kind = mesh.ErrRemote
	}
	return &Error{mesh.Heard(r.Reason, kind), r.Message}
}

// codeOf is the stable code of err: InosError.code.
func codeOf(err error) string { return fault.Find(err).Code() }
