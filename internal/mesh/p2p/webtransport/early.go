package webtransport

import (
	"bytes"
	"context"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/security/noise/pb"
)

// certCheck is the early-data side of the Noise handshake: the responder lists
// the hashes of the certificates it serves, and every one dialled must be among
// them. Without this, whoever can make the browser accept a certificate could
// relay the handshake of the real peer.
type certCheck struct {
	dialled [][]byte // multihashes
	passed  bool
}

var _ noise.EarlyDataHandler = (*certCheck)(nil)

// Send has nothing to say: a browser serves no certificates.
func (c *certCheck) Send(context.Context, net.Conn, peer.ID) *pb.NoiseExtensions { return nil }

// Received runs before the handshake completes; an error ends it.
func (c *certCheck) Received(_ context.Context, _ net.Conn, ext *pb.NoiseExtensions) error {
	served := ext.GetWebtransportCerthashes()
	for _, want := range c.dialled {
		found := false
		for _, have := range served {
			found = found || bytes.Equal(want, have)
		}
		if !found {
			return fmt.Errorf("%w: %x", ErrCertHash, digest(want))
		}
	}
	c.passed = true
	return nil
}
