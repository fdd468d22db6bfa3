//go:build !js

package p2p

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	p2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	ma "github.com/multiformats/go-multiaddr"
)

// kind is what Profile.Kind says of this build.
const kind = "native"

// dials is what an address lacks that this build cannot dial.
const dials = "nothing here dials it: expected one with /quic-v1, as a node prints it when it starts"

// dhtMode: whoever can be dialled keeps records for the others.
const dhtMode = dht.ModeServer

// newHost makes a host that dials and listens on WebTransport and QUIC. The
// function returned closes it.
func newHost(cfg Config, key ic.PrivKey) (host.Host, func() error, error) {
	for _, addr := range cfg.Listen {
		if err := CheckListen(addr); err != nil {
			return nil, nil, err
		}
	}
	resources, err := newResources(cfg.MaxPeers)
	if err != nil {
		return nil, nil, err
	}
	// Without one of ours, libp2p's own has 192 at the most, jobs or not.
	conns, err := connmgr.NewConnManager(cfg.MaxPeers*3/4, cfg.MaxPeers, connmgr.WithGracePeriod(cfg.peerGrace))
	if err != nil {
		_ = resources.Close()
		return nil, nil, fmt.Errorf("p2p: connection limits: %w", err)
	}
	wt := &delayedStop{}
	options := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.Transport(wt.make),
		libp2p.Transport(quic.NewTransport, quic.WithTLSIdentityOption(p2ptls.WithCertTemplate(certificate()))),
		libp2p.ResourceManager(resources),
		// Those to private addresses would have 5 s, wherever these lead.
		libp2p.WithDialTimeout(connectTime), libp2p.SwarmOpts(swarm.WithDialTimeoutLocal(connectTime)),
		libp2p.ConnectionManager(conns),
		libp2p.UserAgent(userAgent),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.Ping(false), // ours answers as late as the configuration says
	}
	if len(cfg.Listen) > 0 {
		options = append(options, libp2p.ListenAddrStrings(cfg.Listen...))
	} else {
		options = append(options, libp2p.NoListenAddrs)
	}
	if cfg.Announce != nil {
		options = append(options, libp2p.AddrsFactory(announced(cfg.Announce)))
	}
	h, err := libp2p.New(options...)
	if err != nil {
		_ = resources.Close()
		if len(cfg.Listen) > 0 {
			return nil, nil, fmt.Errorf("p2p: cannot listen on %s: %w", strings.Join(cfg.Listen, ", "), err)
		}
		return nil, nil, fmt.Errorf("p2p: host: %w", err)
	}
	resources.know(h.Network())
	return h, func() error {
		err := h.Close()
		wt.streams.Wait() // they end with their connections
		return err
	}, nil
}

// announced is what the host tells of its addresses. One that is none is left out.
func announced(by func([]string) []string) func([]ma.Multiaddr) []ma.Multiaddr {
	return func(listening []ma.Multiaddr) (told []ma.Multiaddr) {
		texts := make([]string, len(listening))
		for i, a := range listening {
			texts[i] = a.String()
		}
		for _, text := range by(texts) {
			if a, err := ma.NewMultiaddr(text); err == nil {
				told = append(told, a)
			}
		}
		return told
	}
}

// certificate is what a QUIC connection is secured by: self-signed, and of one run of the
// program, so that it need not end. libp2p's own begins an hour before it was made, and a
// machine whose clock is further behind than that would refuse it.
func certificate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(rand.Int64()),
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // none, as RFC 5280 has it
		Subject:      pkix.Name{SerialNumber: strconv.FormatInt(rand.Int64(), 10)},
	}
}

// dhtHost: a native node's own addresses are what the directory should say.
func dhtHost(h host.Host) host.Host { return h }

func listenAddrs(h host.Host) []ma.Multiaddr { return h.Addrs() }

// keptFromLocal: nothing keeps a native node from its network.
func keptFromLocal(error) bool { return false }

// wrongCertificate recognises a TLS alert bad_certificate of our own side, which
// QUIC keeps as text: the pinned hash did not match.
func wrongCertificate(err error) bool {
	return strings.Contains(err.Error(), "CRYPTO_ERROR 0x12a") || strings.Contains(err.Error(), "missing cert hash")
}
