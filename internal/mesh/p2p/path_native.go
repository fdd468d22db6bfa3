//go:build !js

package p2p

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/quic-go/quic-go"
)

// ackDelay is what a QUIC peer may wait before it acknowledges (RFC 9000, 18.2).
const ackDelay = 25 * time.Millisecond

// pathOf asks QUIC, which is below every connection here.
func pathOf(c network.Conn) path {
	var q *quic.Conn
	if !c.As(&q) || q == nil {
		return path{}
	}
	s := q.ConnectionStats()
	return path{
		rtt: s.SmoothedRTT, sent: s.PacketsSent, lost: s.PacketsLost, heard: s.PacketsReceived,
		acknowledgedIn: s.SmoothedRTT + 4*s.MeanDeviation + ackDelay, // RFC 9002, 6.2.1
	}
}
