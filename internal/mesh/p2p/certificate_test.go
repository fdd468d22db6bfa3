//go:build !js

package p2p

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	p2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
	"inos/internal/testkit"
)

// The certificate of a QUIC connection is good by any clock: whoever dials a node looks at
// it by its own.
func TestCertificateByAnyClock(t *testing.T) {
	n := start(t, 690, func(c *Config) { c.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1"} })
	key, err := ic.UnmarshalEd25519PrivateKey(testkit.Key(691))
	require.NoError(t, err)
	identity, err := p2ptls.NewIdentity(key)
	require.NoError(t, err)
	conf, _ := identity.ConfigForPeer(n.id)
	conf.NextProtos = []string{"libp2p"}
	addr, _, err := quicreuse.FromQuicMultiaddr(n.host.Addrs()[0])
	require.NoError(t, err)
	conn, err := quic.DialAddr(t.Context(), addr.String(), conf, nil)
	require.NoError(t, err)
	defer func() { _ = conn.CloseWithError(0, "") }()
	cert := conn.ConnectionState().TLS.PeerCertificates[0]
	cert.UnhandledCriticalExtensions = nil // libp2p's own, which it has looked at
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	for _, off := range append(wrongClocks, -20*365*24*time.Hour) {
		_, err := cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: time.Now().Add(off)})
		require.NoError(t, err, off)
	}
}

// A certificate that is not valid now, and one that is another's, are told apart.
func TestCertificateOutOfItsTime(t *testing.T) {
	n := start(t, 692, nil)
	key, err := ic.UnmarshalEd25519PrivateKey(testkit.Key(693))
	require.NoError(t, err)
	late := certificate()
	late.NotBefore = time.Now().Add(48 * time.Hour)
	identity, err := p2ptls.NewIdentity(key, p2ptls.WithCertTemplate(late))
	require.NoError(t, err)
	conf, _ := identity.ConfigForPeer("")
	refused := conf.VerifyPeerCertificate(conf.Certificates[0].Certificate, nil)
	require.Error(t, refused)
	alert := &quic.TransportError{ErrorCode: 0x12a, ErrorMessage: refused.Error()}
	err = n.explain(t.Context(), testkit.Peer(693), fmt.Errorf("%w: %w", errNoConnection, alert))
	require.ErrorIs(t, err, mesh.ErrCertificate)
	require.ErrorContains(t, err, "one of the two clocks is wrong")
	alert.ErrorMessage = "cert hash not found"
	err = n.explain(t.Context(), testkit.Peer(693), fmt.Errorf("%w: %w", errNoConnection, alert))
	require.ErrorIs(t, err, mesh.ErrCertificate)
	require.NotContains(t, err.Error(), "clock")
}
