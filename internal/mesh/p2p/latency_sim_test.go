//go:build !js

package p2p

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/testkit"
)

// A caller that goes away while an answer waits for its time must not leave the
// stream open: the resource manager counts it, and refuses the peer's next ones.
func TestLateStreamsEndWithTheirCaller(t *testing.T) {
	listen := []string{"/ip4/127.0.0.1/udp/0/quic-v1/webtransport"}
	far, err := New(Config{Key: testkit.Key(91), Listen: listen, ArtificialLatency: 20 * time.Millisecond})
	require.NoError(t, err)
	defer far.Close()
	near, err := New(Config{Key: testkit.Key(92), Listen: listen})
	require.NoError(t, err)
	defer near.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = near.Connect(ctx, far.Addrs()[0])
	require.NoError(t, err)
	for range 32 { // more than libp2p allows a peer at a time
		_, err := near.Ping(ctx, far.Self())
		require.NoError(t, err)
	}
}
