package p2p

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What a node says of its addresses is enough to know whether it can be dialled from
// here: one that does not listen, as a browser, has none.
func TestCanDial(t *testing.T) {
	server := start(t, 1, nil)
	client := start(t, 2, func(c *Config) { c.Listen = nil }, server)
	require.Empty(t, client.Addrs())
	require.False(t, server.CanDial(client.Addrs()))
	require.True(t, client.CanDial(server.Addrs()))
	require.False(t, server.CanDial([]string{
		"nonsense",
		"/ip4/127.0.0.1/udp/1/quic-v1/webtransport/p2p/" + string(client.Self()), // no certhash
		"/p2p/" + string(client.Self()),
	}))
}
