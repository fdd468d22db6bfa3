// Package request carries requests between nodes: short messages with a short answer. Each
// travels in an envelope that the gate of the receiving node has to pass. payment/clearing and
// trace/forward define the contents.
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

// MaxBody bounds the body of a request, in bytes. The rest of mesh.MaxRequestBody is for the
// envelope.
const MaxBody = mesh.MaxRequestBody - 4<<10

// Kernel is what an Exchange needs of the kernel.
type Kernel interface {
	// Message returns an envelope of this node, with the missing DNA fields filled in.
	Message(ctx context.Context, kind string, dna governance.Metadata) governance.Envelope
	// Pass returns the gate's refusal of another node's envelope, nil when it passes.
	Pass(env governance.Envelope, kind string) error
	// Mesh returns the mesh that the node has joined; an error before that.
	Mesh() (mesh.Mesh, error)
}

// Exchange sends requests, and answers incoming ones. It holds no resource and starts nothing.
// Safe for concurrent use.
type Exchange struct {
	kernel Kernel
	now    func() time.Time
}

// New returns the Exchange of a node whose clock is now.
func New(kernel Kernel, now func() time.Time) *Exchange { return &Exchange{kernel, now} }

// kindOf returns the Type of a request's Envelope.
func kindOf(name string) string { return "note:" + name + ":v1" }

// requester returns the mesh if it carries requests.
func (x *Exchange) requester() (mesh.Mesh, mesh.Requester) {
	m, err := x.kernel.Mesh()
	if err != nil {
		return nil, nil
	}
	to, _ := m.(mesh.Requester)
	return m, to
}

// Peers returns the nodes that can be asked; none while there is no mesh that carries requests.
func (x *Exchange) Peers() []mesh.Peer {
	m, to := x.requester()
	if to == nil {
		return nil
	}
	return m.Peers()
}

// Send asks p and blocks until the answer, or until ctx ends. Errors are those of
// mesh.Requester. They match mesh.ErrUnsent when nothing has been sent.
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

// Handler decodes requests called name and passes those that the gate admits to answer.
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

// ClockAhead returns how far the asking node's clock is ahead of this node's, from the context
// that Handler passes.
func ClockAhead(ctx context.Context) time.Duration {
	ahead, _ := ctx.Value(aheadKey{}).(time.Duration)
	return ahead
}
