package p2p

import (
	"context"
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
		if !m.guard.admit(m.life, in) {
			_ = s.ResetWithError(network.StreamRateLimited)
			return
		}
		defer m.guard.done(in)
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

func (m *Mesh) ping(ctx context.Context, id peer.ID) (time.Duration, error) {
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
// connection when there is none, long before QUIC's own idle time.
func (m *Mesh) suspect(p identity.PeerID) {
	id, err := peerID(p)
	if err != nil {
		return
	}
	m.goWork(func() {
		ctx, cancel := context.WithTimeout(m.life, m.cfg.Silence/3)
		defer cancel()
		if _, err := m.ping(ctx, id); err != nil && m.life.Err() == nil {
			_ = m.host.Network().ClosePeer(id)
		}
	})
}
