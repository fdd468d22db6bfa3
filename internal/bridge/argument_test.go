package bridge

import (
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
)

func TestCapsuleAddresses(t *testing.T) {
	for _, c := range []struct {
		address string
		node    identity.PeerID
		id      string
	}{{"c1", "", "c1"}, {"12D3Koo/c1", "12D3Koo", "c1"}, {"12D3Koo/", "12D3Koo", ""}, {"", "", ""}} {
		node, id := capsuleAddress(c.address)
		require.Equal(t, c.node, node)
		require.Equal(t, c.id, id)
		if id != "" {
			require.Equal(t, c.address, addressOf(node, "self", id))
		}
	}
	require.Equal(t, "c1", addressOf("self", "self", "c1"))
}
