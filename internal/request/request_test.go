package request

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/mesh/inproc"
	"inos/internal/testkit"
)

// node is a Kernel whose gate admits everything that denied does not name. Its mesh carries
// requests to one other node.
type node struct {
	mesh.Mesh
	to     func(ctx context.Context, from identity.PeerID, name string, body []byte) ([]byte, error)
	denied error
}

func (n *node) Message(_ context.Context, kind string, _ governance.Metadata) governance.Envelope {
	return governance.Envelope{ID: "01935c2e-7d1a-7c3b-8f00-0123456789ab", Type: kind, Timestamp: time.Now(), Version: 1}
}

func (n *node) Pass(env governance.Envelope, kind string) error {
	if env.Type != kind {
		return errors.New("another type")
	}
	return n.denied
}

func (n *node) Request(ctx context.Context, _ identity.PeerID, name string, body []byte) ([]byte, error) {
	return n.to(ctx, n.Self(), name, body)
}

// kernel hides the node's mesh, or the mesh's requests.
type kernel struct {
	*node
	joined mesh.Mesh
}

func (k kernel) Mesh() (mesh.Mesh, error) {
	if k.joined == nil {
		return nil, errors.New("not joined")
	}
	return k.joined, nil
}

func join(t *testing.T) *node {
	net := inproc.New(inproc.Config{})
	t.Cleanup(func() { _ = net.Close() })
	m, err := net.Join(testkit.Key(1), nil)
	require.NoError(t, err)
	return &node{Mesh: m}
}

// A request arrives as it was sent, with its sender and the lead of the sender's clock. One that
// the gate denies, that has another name or comes without an envelope does not arrive.
func TestRequestsTravelInEnvelopes(t *testing.T) {
	here := join(t)
	there := &node{}
	const ahead = time.Hour
	sender := New(kernel{here, here}, func() time.Time { return time.Now().Add(ahead) })
	receiver := New(kernel{there, nil}, time.Now)
	answer := receiver.Handler("receipt", func(ctx context.Context, from identity.PeerID, body []byte) ([]byte, error) {
		require.Equal(t, testkit.Peer(1), from)
		require.InDelta(t, ahead, ClockAhead(ctx), float64(time.Minute))
		return append(body, " and back"...), nil
	})
	asked := ""
	here.to = func(ctx context.Context, from identity.PeerID, name string, body []byte) ([]byte, error) {
		asked = name
		return answer(ctx, from, body)
	}
	got, err := sender.Send(t.Context(), testkit.Peer(2), "receipt", []byte("there"))
	require.NoError(t, err)
	require.Equal(t, "there and back", string(got))
	require.Equal(t, "receipt", asked)
	_, err = sender.Send(t.Context(), testkit.Peer(2), "cheque", nil)
	require.ErrorContains(t, err, "another type")
	there.denied = errors.New("not here")
	_, err = sender.Send(t.Context(), testkit.Peer(2), "receipt", nil)
	require.ErrorIs(t, err, there.denied)
	_, err = answer(t.Context(), testkit.Peer(1), []byte("bare"))
	require.Error(t, err)
	require.Zero(t, ClockAhead(t.Context()), "of no request")
}

// Without a mesh that carries requests there are no peers to ask.
func TestNobodyToAsk(t *testing.T) {
	here := join(t)
	for name, joined := range map[string]mesh.Mesh{"no mesh": nil, "one without requests": here.Mesh} {
		x := New(kernel{here, joined}, time.Now)
		require.Empty(t, x.Peers(), name)
		_, err := x.Send(t.Context(), testkit.Peer(2), "receipt", nil)
		require.ErrorIs(t, err, mesh.ErrUnsent, name)
	}
	require.Equal(t, here.Peers(), New(kernel{here, here}, time.Now).Peers())
}
