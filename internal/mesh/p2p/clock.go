package p2p

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"inos/internal/clock"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/trace"
	"inos/internal/wire"
)

// ahead is how far p's clock is known to be ahead of this node's; 0 when it is not.
func (m *Mesh) ahead(p identity.PeerID) time.Duration {
	id, err := peerID(p)
	if err != nil {
		return 0
	}
	return m.peers.clock(id).AheadAt(m.cfg.Now())
}

// source returns what is known of p's clock: the measurement over the connection to it, or else the
// median offset of the connected peers' clocks.
func (m *Mesh) source(p identity.PeerID, now time.Time) mesh.Source {
	if p == m.self {
		return mesh.Source{Measured: true}
	}
	id, err := peerID(p)
	if err != nil {
		return mesh.Source{}
	}
	if o := m.peers.clock(id); o.Known() {
		return mesh.Source{Ahead: o.AheadAt(now), Measured: true}
	}
	return mesh.Source{Ahead: m.peers.middle(now)}
}

// clockFrame bounds both frames of /inos/clock/1: an empty one asks, and eight bytes, the
// Unix nanoseconds of the node's clock, big endian, answer.
const clockFrame = 8

func (m *Mesh) answerClock(_ context.Context, _ identity.PeerID, s *frames) error {
	if _, err := s.read(clockFrame); err != nil {
		return err
	}
	return s.send(binary.BigEndian.AppendUint64(nil, uint64(m.cfg.Now().UnixNano())))
}

// askClock measures how far p's clock is ahead, and the round trip that the answer took.
func (m *Mesh) askClock(ctx context.Context, id peer.ID) (time.Duration, error) {
	p := nameOf(id)
	s, end, err := m.open(ctx, p, ClockProtocol)
	if err != nil {
		return 0, err
	}
	asked := m.cfg.Now()
	var data []byte
	if err = s.send(nil); err == nil {
		data, err = s.read(clockFrame)
	}
	heard := m.cfg.Now()
	if err == nil && len(data) != clockFrame {
		err = fmt.Errorf("%w: a time of %d bytes", mesh.ErrProtocol, len(data))
	}
	end(err)
	if err != nil {
		return 0, m.explain(ctx, p, err)
	}
	o := clock.Exchange(asked, heard, time.Unix(0, int64(binary.BigEndian.Uint64(data))))
	m.peers.setRTT(id, o.RTT)
	m.peers.measured(id, o)
	return o.RTT, nil
}

// received reads an envelope that from has sent now; see wire.ReceiveEnvelope.
func (m *Mesh) received(from identity.PeerID, data []byte) (governance.Envelope, time.Duration, error) {
	return wire.ReceiveEnvelope(data, m.cfg.Now(), m.ahead(from))
}

// meetClock measures the clock of a peer that has connected. The kernel's pings repeat that later;
// when many peers connect at once, the pings alone have to do.
func (m *Mesh) meetClock(id peer.ID) {
	select {
	case m.clocks <- struct{}{}:
	default:
		return
	}
	m.goWork(func() {
		defer func() { <-m.clocks }()
		ctx, cancel := context.WithTimeout(m.life, pingTime)
		defer cancel()
		_, _ = m.askClock(ctx, id) // the next ping will
	})
}

// doubt measures the clock of a connected peer whose profile was out of its time: the clock may
// have been set since it was last measured.
func (m *Mesh) doubt(p identity.PeerID) {
	id, err := peerID(p)
	if err != nil {
		return
	}
	if o := m.peers.clock(id); o.Known() && m.cfg.Now().Sub(o.At) > time.Second {
		m.meetClock(id)
	}
}

// retime tells spans of p's, sent at that time of its clock, in this node's time.
func (m *Mesh) retime(spans []trace.Span, p identity.PeerID, sent time.Time) {
	now, ahead := m.cfg.Now(), m.ahead(p)
	if !sent.IsZero() {
		ahead = sent.Sub(now)
	}
	for i := range spans {
		spans[i].Start = clock.Here(spans[i].Start, ahead, now)
	}
}
