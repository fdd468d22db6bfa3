package mesh

import (
	"context"

	"inos/internal/governance"
	"inos/internal/identity"
)

// CallType is the type of the Envelope that opens a call.
const CallType = "capsule:call:v1"

// CallsAtOnce is the most calls that one node may have under way on another.
const CallsAtOnce = 16

// CapsuleCall is a job for one capsule that the caller has spawned on another node. Its spawner
// pays for the capsule's time as long as it lives, so a call carries no voucher.
type CapsuleCall struct {
	Envelope governance.Envelope // its payload is the CallRequest
	Capsule  string              // its id there
	Method   string
	Args     []string
	Input    []byte
	// Body reads the input while it is still being received, as JobCall.Body does.
	Body func(ctx context.Context) ([]byte, error)
	// Length is the length of the input that Body reads, in bytes.
	Length uint64
}

// InputLength returns the length of the input in bytes, received or not.
func (c CapsuleCall) InputLength() uint64 {
	if c.Body == nil {
		return uint64(len(c.Input))
	}
	return c.Length
}

// ReadInput returns the input and blocks until it is received. Errors are the mesh's.
func (c CapsuleCall) ReadInput(ctx context.Context) ([]byte, error) {
	if c.Body == nil {
		return c.Input, nil
	}
	return c.Body(ctx)
}

// Caller is a Mesh that calls capsules of other nodes. Call sends call to p and blocks until the
// outcome; ctx's deadline travels as the time left. onProgress may be nil and must not block. A
// call that failed on p is no error: see the outcome's Code. Cancelling ctx cancels the call on p.
// Errors are those of RunJob.
type Caller interface {
	Call(ctx context.Context, p identity.PeerID, call CapsuleCall, onProgress func(Progress)) (JobOutcome, error)
}

// CallHandler is a Handler whose capsules their spawners can call. The Outcome's Cost and Receipt
// stay empty. ctx ends after the time that the caller waits, or when the caller cancels or goes
// away.
type CallHandler interface {
	HandleCall(ctx context.Context, from identity.PeerID, call CapsuleCall, onProgress func(Progress)) JobOutcome
}
