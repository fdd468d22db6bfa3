package p2p

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// pingTime bounds a ping that the caller does not bound.
const pingTime = 10 * time.Second

// servePing answers /ipfs/ping/1.0.0, whoever asks.
func (m *Mesh) servePing() {
	service := &ping.PingService{Host: m.host}
	m.host.SetStreamHandler(ping.ID, func(s network.Stream) {
		in := newInbound(s, ping.ID)
		if !m.limiter.admit(m.life, in) {
			_ = s.ResetWithError(network.StreamRateLimited)
			return
		}
		defer m.limiter.done(in)
		service.PingHandler(s)
	})
}

// Ping measures one round trip over the connection to p, opened if need be.
func (m *Mesh) Ping(ctx context.Context, p identity.PeerID) (time.Duration, error) {
	if err := m.alive(); err != nil {
		return 0, err
	}
	id, err := peerID(p)
	if err != nil {
		return 0, err
	}
	if id == m.id {
		return 0, fmt.Errorf("%w: that is this node", mesh.ErrUnreachable)
	}
	return m.ping(ctx, id)
}

// ping is Ping, of a peer that is not this node. An answer that did not come from a peer
// that was heard meanwhile, over a path that loses packets, is mesh.ErrLossy.
func (m *Mesh) ping(ctx context.Context, id peer.ID) (time.Duration, error) {
	before := m.paths(id)
	rtt, err := m.pingOnce(ctx, id)
	if err != nil && !errors.Is(err, mesh.ErrCancelled) && !errors.Is(err, mesh.ErrClosed) {
		if after := m.paths(id); after.lossy() && after.heard > before.heard {
			err = fmt.Errorf("%w: %w", err, mesh.ErrLossy)
		}
	}
	return rtt, err
}

func (m *Mesh) pingOnce(ctx context.Context, id peer.ID) (time.Duration, error) {
	pingCtx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	if speaks, _ := m.host.Peerstore().FirstSupportedProtocol(id, ClockProtocol); speaks != "" {
		return m.askClock(pingCtx, id)
	}
	r, ok := <-ping.Ping(pingCtx, m.host, id)
	if !ok {
		// The service ends its channel without a result when its context ends.
		r.Error = pingCtx.Err()
	}
	if r.Error != nil {
		return 0, m.explain(ctx, nameOf(id), r.Error)
	}
	m.peers.setRTT(id, r.RTT)
	return r.RTT, nil
}

// suspect asks a peer that has been silent for a sign of life and ends the
// connection when there is none, long before QUIC's own idle time. What else there is on a
// connection that lives, though it loses packets, goes on.
func (m *Mesh) suspect(p identity.PeerID) {
	id, err := peerID(p)
	if err != nil {
		return
	}
	m.goWork(func() {
		if m.isGone(id) {
			_ = m.host.Network().ClosePeer(id)
		}
	})
}

// isGone reports whether a peer gives no sign of life when it is asked for one.
func (m *Mesh) isGone(id peer.ID) bool {
	ctx, cancel := context.WithTimeout(m.life, max(m.cfg.StallTimeout/3, m.paths(id).patience()))
	defer cancel()
	_, err := m.ping(ctx, id)
	return err != nil && !errors.Is(err, mesh.ErrLossy) && m.life.Err() == nil
}
