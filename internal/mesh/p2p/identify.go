package p2p

import (
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
)

const (
	// identifyTime is what a peer has to say who it is when it is asked again.
	identifyTime = 30 * time.Second
	// identifyAtOnce bounds the peers that are.
	identifyAtOnce = 64
)

// identifyAgain asks a peer again which protocols it speaks when it has not answered in time, for
// as long as it is connected. libp2p asks once a connection and allows 5 s; an unknown peer gets no
// profiles, no gossip, and no place in the directory.
func (m *Mesh) identifyAgain(e event.EvtPeerIdentificationFailed) {
	if !isTimeout(e.Reason) {
		return
	}
	select {
	case m.unknown <- struct{}{}:
	default:
		return // so many are no accident
	}
	m.goWork(func() {
		defer func() { <-m.unknown }()
		// A service of its own, that only asks: its failure is an event like the first one.
		again, err := identify.NewIDService(asking{m.host}, identify.UserAgent(userAgent), identify.WithTimeout(identifyTime))
		if err != nil {
			return
		}
		again.Start()
		defer again.Close()
		for _, c := range m.host.Network().ConnsToPeer(e.Peer) {
			select {
			case <-again.IdentifyWait(c):
			case <-m.life.Done():
				return
			}
		}
	})
}

// asking is a host for which a service asks, and answers nothing.
type asking struct{ host.Host }

func (asking) SetStreamHandler(protocol.ID, network.StreamHandler) {}

func (a asking) Network() network.Network { return unheard{a.Host.Network()} }

// unheard is a network that tells nobody of its connections.
type unheard struct{ network.Network }

func (unheard) Notify(network.Notifiee) {}
