// Package webtransport is a go-libp2p transport over the browser's own
// WebTransport, for nodes that run in a page's Worker. It dials and never
// listens: a browser has no port. The libp2p specification "WebTransport"
// (github.com/libp2p/specs, webtransport/README.md) is the source of the
// handshake: the certificate is pinned by the hashes in the address, then Noise
// over the first stream proves the peer's identity and that it vouches for those
// hashes. QUIC encrypts; nothing is encrypted twice.
//
// Sessions are made through syscall/js; every chunk of a stream crosses by the
// compiler's wasmimport and wasmexport, and web/src/mesh/streams.ts is the other half.
//
// The Transport itself exists on js only; addresses, deadlines and the dial
// budget compile everywhere and are tested natively.
package webtransport

import (
	"inos/internal/fault"
)

// Errors of this package. ErrHandshake and ErrBackoff are retryable, the former
// on another address at once; the others are final for their address.
var (
	// ErrAddress refuses a multiaddr that is not
	// /ip4|ip6|dns*/X/udp/P/quic-v1/webtransport with one /certhash or more.
	ErrAddress = fault.Internal("webtransport: not a dialable address")
	// ErrListen answers Listen.
	ErrListen = fault.Internal("webtransport: a browser cannot listen")
	// ErrUnsupported: this browser, or this context, has no WebTransport.
	ErrUnsupported = fault.Internal("webtransport: no WebTransport here")
	// ErrHandshake: no session came about. Browsers do not say whether nobody
	// answered or the certificate was not one of the pinned ones.
	ErrHandshake = fault.Internal("webtransport: handshake failed: nobody answers there, or the certificate is not the pinned one")
	// ErrLocalNetwork: it comes with ErrHandshake, or the end of the caller's patience,
	// where the address is of this machine or a local network. Retryable once the user
	// has allowed it.
	ErrLocalNetwork = fault.Internal("webtransport: the browser keeps this page from the local network")
	// ErrCertHash: the authenticated peer does not vouch for a certificate hash
	// that was dialled.
	ErrCertHash = fault.Internal("webtransport: peer does not vouch for the certificate hash")
	// ErrBackoff: too many dials failed lately for the browser to be asked again.
	ErrBackoff = fault.Internal("webtransport: too many failed dials")
	// ErrClosed: the connection or the transport was closed on this side.
	ErrClosed = fault.Internal("webtransport: closed")
	// ErrLost: the session ended without a close from this side.
	ErrLost = fault.Internal("webtransport: session lost")
)
