package p2p

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Tags under which the connection manager must not close a peer's connections.
const (
	holdStreams   = "inos-streams"   // a stream of ours is open
	holdBootstrap = "inos-bootstrap" // we would only dial it again
)

// holds keeps the peers that this node has a stream with out of the connection
// manager's reach: what it closes to stay within its limits must not be a job.
type holds struct {
	conns connmgr.ConnManager

	mu   sync.Mutex
	open map[peer.ID]int
}

func newHolds(conns connmgr.ConnManager) *holds {
	return &holds{conns: conns, open: map[peer.ID]int{}}
}

// take counts one stream with p; release takes it off again.
func (h *holds) take(p peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[p]++; h.open[p] == 1 {
		h.conns.Protect(p, holdStreams)
	}
}

func (h *holds) release(p peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[p]--; h.open[p] == 0 {
		delete(h.open, p)
		h.conns.Unprotect(p, holdStreams)
	}
}
