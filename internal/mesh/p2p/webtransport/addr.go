package webtransport

import (
	"fmt"
	"net"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multibase"
	"github.com/multiformats/go-multihash"
)

// endpoint is where libp2p nodes take WebTransport sessions, as the
// specification fixes it.
const endpoint = "/.well-known/libp2p-webtransport?type=noise"

// maxCertHashes bounds what one address may pin; listeners announce two.
const maxCertHashes = 8

// target is a multiaddr taken apart.
type target struct {
	url    string
	host   string
	remote ma.Multiaddr // without certificate hashes and peer id
	local  ma.Multiaddr // what a browser can say of its own side
	hashes [][]byte     // multihashes; all sha2-256
}

// parseAddr reads addr. Errors match ErrAddress.
func parseAddr(addr ma.Multiaddr) (target, error) {
	var t target
	var host, port string
	family := "ip4"
	const (
		wantHost = iota
		wantUDP
		wantQUIC
		wantWebTransport
		wantHashes
	)
	state := wantHost
	for _, c := range addr {
		code := c.Protocol().Code
		switch {
		case state == wantHost && (code == ma.P_IP4 || code == ma.P_IP6 || code == ma.P_DNS || code == ma.P_DNS4 || code == ma.P_DNS6):
			host, state = c.Value(), wantUDP
			if code == ma.P_IP6 || code == ma.P_DNS6 {
				family = "ip6"
			}
		case state == wantUDP && code == ma.P_UDP:
			port, state = c.Value(), wantQUIC
		case state == wantQUIC && code == ma.P_QUIC_V1:
			state = wantWebTransport
		case state == wantWebTransport && code == ma.P_SNI:
			// A browser sets the name itself; the certificate is pinned anyway.
		case state == wantWebTransport && code == ma.P_WEBTRANSPORT:
			state = wantHashes
		case state == wantHashes && code == ma.P_CERTHASH:
			mh, err := parseCertHash(c.Value())
			if err != nil {
				return target{}, err
			}
			t.hashes = append(t.hashes, mh)
			continue
		case state == wantHashes && code == ma.P_P2P:
			continue
		default:
			return target{}, fmt.Errorf("%w: %s: unexpected /%s", ErrAddress, addr, c.Protocol().Name)
		}
		t.remote = t.remote.AppendComponent(&c)
	}
	switch {
	case state != wantHashes:
		return target{}, fmt.Errorf("%w: %s: not WebTransport", ErrAddress, addr)
	case len(t.hashes) == 0:
		return target{}, fmt.Errorf("%w: %s: no certificate hash", ErrAddress, addr)
	case len(t.hashes) > maxCertHashes:
		return target{}, fmt.Errorf("%w: %d certificate hashes", ErrAddress, len(t.hashes))
	}
	t.host = host
	t.url = "https://" + net.JoinHostPort(host, port) + endpoint
	unspecified := "0.0.0.0"
	if family == "ip6" {
		unspecified = "::"
	}
	t.local = ma.StringCast("/" + family + "/" + unspecified + "/udp/0/quic-v1/webtransport")
	return t, nil
}

// parseCertHash decodes multibase, then multihash, and returns the multihash.
// WebTransport knows sha-256 only, so that any other function is refused.
func parseCertHash(text string) ([]byte, error) {
	_, raw, err := multibase.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%w: certhash: %v", ErrAddress, err)
	}
	decoded, err := multihash.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: certhash: %v", ErrAddress, err)
	}
	if decoded.Code != multihash.SHA2_256 || len(decoded.Digest) != 32 {
		return nil, fmt.Errorf("%w: certhash is %s of %d bytes, not sha2-256", ErrAddress, decoded.Name, len(decoded.Digest))
	}
	return raw, nil
}

// digest is the 32 bytes inside a multihash that parseCertHash returned.
func digest(mh []byte) []byte { return mh[len(mh)-32:] }

// CanDial reports whether addr is one that Dial would try.
func CanDial(addr ma.Multiaddr) bool {
	_, err := parseAddr(addr)
	return err == nil
}
