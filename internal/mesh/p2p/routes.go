package p2p

import (
	"context"
	"time"
)

const (
	// routeTime bounds the wait for the first route: identify and one query.
	routeTime = 3 * time.Second
	routeLook = 20 * time.Millisecond
)

// awaitRoute waits until the routing table knows somebody to ask. A peer enters
// it only after it has been identified and has answered a query of the DHT's own,
// some round trips after the connection is up; the table tells nobody when. It
// gives up when nobody is connected, after routeTime, or when ctx ends.
func (m *Mesh) awaitRoute(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, routeTime)
	defer cancel()
	look := time.NewTicker(routeLook)
	defer look.Stop()
	for m.dht.RoutingTable().Size() == 0 && len(m.host.Network().Peers()) > 0 {
		select {
		case <-look.C:
		case <-m.life.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}
