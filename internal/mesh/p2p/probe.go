package p2p

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"inos/internal/identity"
	"inos/internal/mesh"
)

const (
	// freshFor is how long after its last sign of life a connected peer is taken to be
	// there without being asked.
	freshFor = time.Second
	// probeTime is how long a peer that is asked has for its answer, at least: four times
	// its last round trip where that is longer, or what its path asks for (path.patience).
	probeTime = 2 * time.Second
)

// probe asks a connected peer that has been quiet for a sign of life, so that a job and
// the money for it are not sent into a connection whose other end is gone: QUIC finds
// that out much later. Errors match mesh.ErrUnreachable, or are those of ctx's end.
func (m *Mesh) probe(ctx context.Context, p identity.PeerID) error {
	id, err := peerID(p)
	if err != nil || !m.peers.isHere(id) || m.peers.quiet(id) < freshFor {
		return nil // a dial, or whoever it was that spoke, says more
	}
	one, cancel := context.WithTimeout(ctx, max(probeTime, 4*m.peers.getRTT(id), m.paths(id).patience()))
	defer cancel()
	_, err = m.ping(one, id)
	reset, ok := errors.AsType[*network.StreamError](err)
	if ok && reset.Remote || !errors.Is(err, mesh.ErrTimeout) && !errors.Is(err, mesh.ErrUnreachable) {
		return nil // it has answered, if only that it takes no pings now
	}
	if ended := mesh.ContextError(ctx); ended != nil {
		return ended
	}
	if closed := m.alive(); closed != nil {
		return closed
	}
	m.suspect(p)
	return fmt.Errorf("%w: %s does not answer: %w", mesh.ErrUnreachable, p, err)
}
