// Package request carries requests between nodes: short messages with a short answer. Each
// travels in an envelope, which the gate of the node that is asked lets pass or not. What a
// request says is for payment/clearing and trace/forward.
package request

import (
	"context"
	"fmt"
	"time"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// MaxBody bounds what a request says, in bytes: the rest of mesh.MaxRequestBody is the envelope's.
const MaxBody = mesh.MaxRequestBody - 4<<10

// Kernel is what an Exchange needs of the kernel.
type Kernel interface {
	// Message is an envelope of this node's own, with the DNA that is left out filled in.
	Message(ctx context.Context, kind string, dna governance.Metadata) governance.Envelope
	// Pass says whether the gate lets another node's envelope in.
	Pass(env governance.Envelope, kind string) error
	// Mesh is the mesh that the node has joined; an error before that.
	Mesh() (mesh.Mesh, error)
}

// Exchange sends requests, and opens those that come. It holds nothing and starts nothing;
// safe for concurrent use.
type Exchange struct {
	kernel Kernel
	now    func() time.Time
}

// New makes an Exchange of a node whose clock is now.
func New(kernel Kernel, now func() time.Time) *Exchange { return &Exchange{kernel, now} }

// kindOf is the type of the Envelope that a request travels in.
func kindOf(name string) string { return "note:" + name + ":v1" }

// requester is the mesh, where there is one that carries requests.
func (x *Exchange) requester() (mesh.Mesh, mesh.Requester) {
	m, err := x.kernel.Mesh()
	if err != nil {
		return nil, nil
	}
	to, _ := m.(mesh.Requester)
	return m, to
}

// Peers are the nodes that can be asked; none while there is no mesh that carries requests.
func (x *Exchange) Peers() []mesh.Peer {
	m, to := x.requester()
	if to == nil {
		return nil
	}
	return m.Peers()
}

// Send asks p and waits for the answer, or for ctx. Errors are those of mesh.Requester; where
// nothing has left they match mesh.ErrUnsent.
func (x *Exchange) Send(ctx context.Context, p identity.PeerID, name string, body []byte) ([]byte, error) {
	_, to := x.requester()
	if to == nil {
		return nil, fmt.Errorf("%w: the mesh carries no requests", mesh.ErrUnsent)
	}
	env := x.kernel.Message(ctx, kindOf(name), governance.Metadata{})
	env.Payload.Data = body
	raw, err := wire.SendEnvelope(env, x.now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mesh.ErrUnsent, err)
	}
	return to.Request(ctx, p, name, raw)
}

// Handler opens requests called name and has answer answer those that the gate lets pass.
func (x *Exchange) Handler(name string, answer mesh.RequestFunc) mesh.RequestFunc {
	return func(ctx context.Context, from identity.PeerID, raw []byte) ([]byte, error) {
		env, ahead, err := wire.ReceiveEnvelope(raw, x.now(), 0)
		if err != nil {
			return nil, err
		}
		if err := x.kernel.Pass(env, kindOf(name)); err != nil {
			return nil, err
		}
		return answer(context.WithValue(ctx, aheadKey{}, ahead), from, env.Payload.Data)
	}
}

type aheadKey struct{}

// ClockAhead is how far the clock of the node that asks is ahead of this node's, in the
// context that Handler gives.
func ClockAhead(ctx context.Context) time.Duration {
	ahead, _ := ctx.Value(aheadKey{}).(time.Duration)
	return ahead
}
