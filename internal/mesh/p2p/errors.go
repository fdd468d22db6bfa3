package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	msmux "github.com/multiformats/go-multistream"

	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// meshErrors are the sentinels that pass through explain unchanged.
var meshErrors = []error{
	mesh.ErrUnreachable, mesh.ErrTimeout, mesh.ErrProtocol, mesh.ErrAddress, mesh.ErrCertificate,
	mesh.ErrSignature, mesh.ErrTooBig, mesh.ErrEncode, mesh.ErrNotFound, mesh.ErrClosed, mesh.ErrCancelled, mesh.ErrProfile, mesh.ErrNoRoom,
}

// errNoConnection marks failures before there was a stream.
var errNoConnection = fault.Internal("p2p: no connection")

// explain turns an error of libp2p into one of this mesh. It checks the caller's context first: its
// end tears streams down, which is not the peer's fault.
func (m *Mesh) explain(ctx context.Context, p identity.PeerID, err error) error {
	if err == nil {
		return nil
	}
	if m.life.Err() != nil {
		return mesh.ErrClosed
	}
	if ended := mesh.ContextError(ctx); ended != nil {
		return ended
	}
	for _, known := range meshErrors {
		if errors.Is(err, known) {
			return err
		}
	}
	var dial *swarm.DialError
	var mismatch sec.ErrPeerIDMismatch
	var unsupported msmux.ErrNotSupported[protocol.ID]
	switch {
	case keptFromLocal(err):
		return fmt.Errorf("%w: %s: %w: %w", mesh.ErrUnreachable, p, mesh.ErrLocalNetwork, err)
	case wrongCertificate(err) && outOfTime(err):
		return fmt.Errorf("%w: %s: by this machine's clock it is not valid now; one of the two clocks is wrong: %w", mesh.ErrCertificate, p, err)
	case wrongCertificate(err):
		return fmt.Errorf("%w: %s: %w", mesh.ErrCertificate, p, err)
	case errors.As(err, &mismatch):
		return fmt.Errorf("%w: another peer answers for %s: %w", mesh.ErrSignature, p, err)
	case errors.Is(err, wire.ErrSignature):
		return fmt.Errorf("%w: from %s: %w", mesh.ErrSignature, p, err)
	case errors.Is(err, wire.ErrMalformed), errors.As(err, &unsupported):
		return fmt.Errorf("%w: %s: %w", mesh.ErrProtocol, p, err)
	case errors.As(err, &dial), errors.Is(err, errNoConnection):
		// Nobody answered in the time that dials are given here.
		return fmt.Errorf("%w: %s: %w", mesh.ErrUnreachable, p, err)
	case isTimeout(err):
		return fmt.Errorf("%w: %s: %w", mesh.ErrTimeout, p, err)
	}
	return fmt.Errorf("%w: %s: %w", mesh.ErrUnreachable, p, err)
}

// outOfTime recognises what go-libp2p's WebTransport and crypto/x509 say of a certificate
// that begins later, or has ended; both come over QUIC as text.
func outOfTime(err error) bool {
	text := err.Error()
	return strings.Contains(text, "cert not valid (NotBefore") || strings.Contains(text, "certificate has expired or is not yet valid")
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		(errors.As(err, &n) && n.Timeout())
}
