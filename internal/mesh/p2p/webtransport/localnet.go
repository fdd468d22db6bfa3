package webtransport

import (
	"net/netip"
	"strings"
)

// The permissions that a browser asks its user for before a page reaches this machine,
// or the machines around it (Local Network Access, wicg.github.io/local-network-access);
// allLocal is the older one for both.
const (
	loopback = "loopback-network"
	nearby   = "local-network"
	allLocal = "local-network-access"
)

// shared is the address space of carriers (RFC 6598), which lies behind their NAT.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// permissionFor is the permission that a page of the Internet needs to reach host, which
// is a name or an address; empty when it needs none.
func permissionFor(host string) string {
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	addr, err := netip.ParseAddr(host)
	if err != nil {
		switch {
		case host == "localhost" || strings.HasSuffix(host, ".localhost"):
			return loopback
		case strings.HasSuffix(host, ".local"):
			return nearby
		}
		return ""
	}
	switch addr = addr.Unmap(); {
	case addr.IsLoopback() || addr.IsUnspecified():
		return loopback
	case addr.IsPrivate() || addr.IsLinkLocalUnicast() || shared.Contains(addr):
		return nearby
	}
	return ""
}
