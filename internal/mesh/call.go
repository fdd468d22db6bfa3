package mesh

import (
	"context"

	"inos/internal/governance"
	"inos/internal/identity"
)

// CallType is the type of the Envelope that opens a call.
const CallType = "capsule:call:v1"

// CallsAtOnce is how many calls of one node another one has under way at most.
const CallsAtOnce = 16

// CapsuleCall asks a capsule that the caller has spawned on another node for
// something: a job for that very instance. Whoever spawned it pays for its time as
// long as it lives, so a call carries no voucher.
type CapsuleCall struct {
	Envelope governance.Envelope // its payload is the CallRequest
	Capsule  string              // its id there
	Method   string
	Args     []string
	Input    []byte
	// Body reads the input where it is still on its way, as JobCall.Body does.
	Body func(ctx context.Context) ([]byte, error)
	// Length is that of the input, in bytes, where Body reads it.
	Length uint64
}

// InputLength is how long the input is, in bytes, wherever it is.
func (c CapsuleCall) InputLength() uint64 {
	if c.Body == nil {
		return uint64(len(c.Input))
	}
	return c.Length
}

// ReadInput returns the input, waiting for it where it is still on its way. Errors
// are the mesh's.
func (c CapsuleCall) ReadInput(ctx context.Context) ([]byte, error) {
	if c.Body == nil {
		return c.Input, nil
	}
	return c.Body(ctx)
}

// Caller is a Mesh that calls capsules of other nodes. Call sends call to p and waits
// for the outcome; ctx's deadline travels as the time left. onProgress may be nil and
// must not block. A call that ended badly there is no error: see the outcome's Code.
// Cancelling ctx cancels the call there. Errors as RunJob's.
type Caller interface {
	Call(ctx context.Context, p identity.PeerID, call CapsuleCall, onProgress func(Progress)) (JobOutcome, error)
}

// CallHandler is a Handler whose capsules can be called by whoever spawned them. The
// Outcome's Cost and Receipt stay empty. ctx ends with the caller's patience, or when
// the caller cancels or goes away.
type CallHandler interface {
	HandleCall(ctx context.Context, from identity.PeerID, call CapsuleCall, onProgress func(Progress)) JobOutcome
}
