package p2p

import (
	"time"

	"inos/internal/clock"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/trace"
	"inos/internal/wire"
)

// ahead is how far p's clock is known to be ahead of this node's; 0 when it is not.
func (m *Mesh) ahead(p identity.PeerID) time.Duration {
	id, err := peerID(p)
	if err != nil {
		return 0
	}
	return m.peers.clock(id).Ahead
}

// received reads an envelope that from has sent now; see wire.ReceiveEnvelope.
func (m *Mesh) received(from identity.PeerID, data []byte) (governance.Envelope, time.Duration, error) {
	return wire.ReceiveEnvelope(data, m.cfg.Now(), m.ahead(from))
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
