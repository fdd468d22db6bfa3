package p2p

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"inos/internal/identity"
	"inos/internal/mesh"
)

// wantDial is an address that can be dialled.
const wantDial = "expected a node's address, as it prints it when it starts: /ip4/IP/udp/PORT/quic-v1/webtransport/certhash/HASH/p2p/PEERID"

// maxAddrBytes bounds the text of a multiaddr.
const maxAddrBytes = 1024

// CheckListen says whether a native node can listen on addr: IPv4 or IPv6, UDP, QUIC and,
// for browsers too, WebTransport. Errors match mesh.ErrAddress and show one that is right.
func CheckListen(addr string) error {
	const want = "expected an address to listen on, such as /ip4/0.0.0.0/udp/4001/quic-v1/webtransport"
	if len(addr) > maxAddrBytes {
		return fmt.Errorf("%w: %d bytes; %s", mesh.ErrAddress, len(addr), want)
	}
	multiaddr, err := ma.NewMultiaddr(addr)
	if err != nil {
		return fmt.Errorf("%w: %.200q; %s", mesh.ErrAddress, addr, want)
	}
	var codes []int
	for _, p := range multiaddr.Protocols() {
		codes = append(codes, p.Code)
	}
	if len(codes) == 4 && codes[3] == ma.P_WEBTRANSPORT {
		codes = codes[:3]
	}
	if len(codes) != 3 || codes[0] != ma.P_IP4 && codes[0] != ma.P_IP6 || codes[1] != ma.P_UDP || codes[2] != ma.P_QUIC_V1 {
		return fmt.Errorf("%w: %.200q; %s", mesh.ErrAddress, addr, want)
	}
	return nil
}

// CheckAddr says whether addr can be dialled: a multiaddr with a transport, its
// certificate hashes and a peer id. Errors match mesh.ErrAddress.
func CheckAddr(addr string) error {
	_, err := parseAddr(addr)
	return err
}

// parseAddr reads a multiaddr that ends in /p2p/ID. Errors match
// mesh.ErrAddress.
func parseAddr(addr string) (peer.AddrInfo, error) {
	if len(addr) > maxAddrBytes {
		return peer.AddrInfo{}, fmt.Errorf("%w: %d bytes", mesh.ErrAddress, len(addr))
	}
	multiaddr, err := ma.NewMultiaddr(addr)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: %.200q: %s", mesh.ErrAddress, addr, wantDial)
	}
	info, err := peer.AddrInfoFromP2pAddr(multiaddr)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: %.200q: %s", mesh.ErrAddress, addr, wantDial)
	}
	if len(info.Addrs) == 0 {
		return peer.AddrInfo{}, fmt.Errorf("%w: %.200q has a peer id only", mesh.ErrAddress, addr)
	}
	for _, a := range info.Addrs {
		if _, err := a.ValueForProtocol(ma.P_WEBTRANSPORT); err != nil {
			if _, err := a.ValueForProtocol(ma.P_QUIC_V1); err != nil || kind == "browser" {
				return peer.AddrInfo{}, fmt.Errorf("%w: %.200q: %s", mesh.ErrAddress, addr, dials)
			}
			continue
		}
		if _, err := a.ValueForProtocol(ma.P_CERTHASH); err != nil {
			return peer.AddrInfo{}, fmt.Errorf("%w: %.200q: WebTransport without a certhash", mesh.ErrAddress, addr)
		}
	}
	return *info, nil
}

// peerID turns the kernel's name of a node into libp2p's.
func peerID(p identity.PeerID) (peer.ID, error) {
	id, err := peer.Decode(string(p))
	if err != nil {
		return "", fmt.Errorf("%w: %.80q is no peer id", mesh.ErrAddress, string(p))
	}
	return id, nil
}

// nameOf is the other direction.
func nameOf(id peer.ID) identity.PeerID { return identity.PeerID(id.String()) }

func preferWebTransport(a, b string) int {
	rank := func(s string) int {
		if strings.Contains(s, "/webtransport") {
			return 0
		}
		return 1
	}
	return cmp.Compare(rank(a), rank(b))
}
