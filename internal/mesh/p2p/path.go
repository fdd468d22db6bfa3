package p2p

import (
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"inos/internal/mesh"
)

// path is what a connection has measured of the way to its peer. The zero value says
// nothing, as in a browser, which does not tell.
type path struct {
	rtt            time.Duration // smoothed
	sent, lost     uint64        // packets of this side
	heard          uint64        // packets of the other one
	acknowledgedIn time.Duration // the most that QUIC waits for one packet's acknowledgement
}

const (
	// lossyFrom is one packet lost in so many: more than a path that is merely busy loses.
	lossyFrom = 50
	// lossyAfter is how many packets it takes to say so.
	lossyAfter = 32
	// tries is how often a packet may be sent before its peer is taken to be silent: with
	// every fifth one lost in either direction, one in a hundred gets no answer.
	tries = 4
	// tripsFirst is how many round trips the first frame of a stream may take: it waits
	// behind those of the streams that were opened with it.
	tripsFirst = 30
)

// lossy reports whether the path loses packets, so that a failure there may be nobody's fault.
func (p path) lossy() bool { return p.sent >= lossyAfter && p.lost*lossyFrom >= p.sent }

// patience returns how long an answer may take when packets that carry it get lost: QUIC doubles
// its wait each time it resends.
func (p path) patience() time.Duration { return (1<<(tries-1))*p.acknowledgedIn + p.rtt }

// paths combines the paths of the connections to p: the worst of each figure.
func (m *Mesh) paths(p peer.ID) (all path) {
	for _, c := range m.host.Network().ConnsToPeer(p) {
		one := pathOf(c)
		all.rtt, all.acknowledgedIn = max(all.rtt, one.rtt), max(all.acknowledgedIn, one.acknowledgedIn)
		all.sent, all.lost, all.heard = all.sent+one.sent, all.lost+one.lost, all.heard+one.heard
	}
	return all
}

// byLoss marks err, of an operation over c, when the path may be the cause: see mesh.ErrLossy.
func byLoss(c network.Conn, err error) error {
	if (errors.Is(err, mesh.ErrUnreachable) || errors.Is(err, mesh.ErrTimeout)) && pathOf(c).lossy() {
		return fmt.Errorf("%w: %w", err, mesh.ErrLossy)
	}
	return err
}
