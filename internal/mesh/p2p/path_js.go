package p2p

import "github.com/libp2p/go-libp2p/core/network"

// pathOf says nothing: browsers measure their paths and keep it to themselves.
func pathOf(network.Conn) path { return path{} }
