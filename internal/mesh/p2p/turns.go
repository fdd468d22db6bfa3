package p2p

import (
	"context"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// turnsFrom is the length of an input that waits for its turn.
const turnsFrom = 16 << 10

// turns sends long inputs for a peer one after the other over a path that loses packets. QUIC has a
// small window there, which all streams share: inputs sent together would all arrive at the end,
// and none before.
type turns struct {
	mu sync.Mutex
	of map[peer.ID]*turn
}

// turn is the peer's whose token is in sending; n count those that have it or want it.
type turn struct {
	n       int
	sending chan struct{}
}

// turn blocks until the caller may send this many bytes to p. The caller ends its turn with done,
// which may be called repeatedly. Errors are ctx's, in the mesh's terms.
func (m *Mesh) turn(ctx context.Context, p identity.PeerID, bytes int) (done func(), err error) {
	id, err := peerID(p)
	if err != nil || bytes < turnsFrom || !m.paths(id).lossy() {
		return func() {}, nil
	}
	t := m.turns.want(id)
	select {
	case t.sending <- struct{}{}:
	case <-ctx.Done():
		m.turns.leave(id, t)
		return nil, mesh.ContextError(ctx)
	case <-m.life.Done():
		m.turns.leave(id, t)
		return nil, mesh.ErrClosed
	}
	return sync.OnceFunc(func() {
		<-t.sending
		m.turns.leave(id, t)
	}), nil
}

func (ts *turns) want(id peer.ID) *turn {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.of[id]
	if t == nil {
		t = &turn{sending: make(chan struct{}, 1)}
		ts.of[id] = t
	}
	t.n++
	return t
}

func (ts *turns) leave(id peer.ID, t *turn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.n--; t.n == 0 {
		delete(ts.of, id)
	}
}
