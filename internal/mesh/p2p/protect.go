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

// protections keeps the connection manager from closing the connections of peers that this node has
// a stream with: a running job must not end because of the manager's limits.
type protections struct {
	conns connmgr.ConnManager

	mu   sync.Mutex
	open map[peer.ID]int
}

func newProtections(conns connmgr.ConnManager) *protections {
	return &protections{conns: conns, open: map[peer.ID]int{}}
}

// protect counts one stream with p; release takes it off again.
func (h *protections) protect(p peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[p]++; h.open[p] == 1 {
		h.conns.Protect(p, holdStreams)
	}
}

func (h *protections) release(p peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[p]--; h.open[p] == 0 {
		delete(h.open, p)
		h.conns.Unprotect(p, holdStreams)
	}
}
