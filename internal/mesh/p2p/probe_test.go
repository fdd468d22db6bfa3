package p2p

import (
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
)

// A job is not sent into a connection whose other end gives no sign of life: nothing was
// sent, and that is found out long before the silence that ends a stream.
func TestNothingIsSentToAPeerThatIsGone(t *testing.T) {
	a, b := pair(t, 970, nil)
	_, err := a.RunJob(t.Context(), b.Self(), call("", nil), nil)
	require.NoError(t, err)
	answers := func(f network.StreamHandler) {
		b.host.SetStreamHandler(ping.ID, f)
		b.host.SetStreamHandler(ClockProtocol, f)
	}
	quiet := func() {
		a.peers.mu.Lock()
		defer a.peers.mu.Unlock()
		a.peers.last[b.id] = time.Now().Add(-freshFor)
	}
	// That it takes no pings is an answer, too.
	answers(func(s network.Stream) { _ = s.ResetWithError(network.StreamRateLimited) })
	quiet()
	_, err = a.RunJob(t.Context(), b.Self(), call("", nil), nil)
	require.NoError(t, err)

	answers(func(s network.Stream) { <-b.life.Done() })
	_, err = a.RunJob(t.Context(), b.Self(), call("", nil), nil)
	require.NoError(t, err, "it has just spoken")
	// A measurement that was under way, or a job just before, are signs of life as well:
	// once there are no more the job does not leave.
	b.host.SetStreamHandler(JobProtocol, func(s network.Stream) { _ = s.Reset() })
	for range 10 {
		quiet()
		if _, err = a.RunJob(t.Context(), b.Self(), call("", nil), nil); errors.Is(err, mesh.ErrUnsent) {
			break
		}
	}
	require.ErrorIs(t, err, mesh.ErrUnsent)
	require.ErrorIs(t, err, mesh.ErrUnreachable)
}
