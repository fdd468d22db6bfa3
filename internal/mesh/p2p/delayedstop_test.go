package p2p

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"
)

const lingerProtocol = protocol.ID("/test/linger")

// TestCloseDoesNotStopThePeer: after Close a node still takes what the peer
// sends, so that no STOP_SENDING overtakes its own last words.
func TestCloseDoesNotStopThePeer(t *testing.T) {
	a, b := pair(t, 300, nil)
	closed := make(chan error, 1)
	b.host.SetStreamHandler(lingerProtocol, func(s network.Stream) {
		reading := make(chan error, 1)
		go func() { _, err := io.Copy(io.Discard, s); reading <- err }()
		_, err := s.Write([]byte("last words"))
		err = errors.Join(err, s.Close())
		if <-reading == nil {
			err = errors.Join(err, errors.New("a read went on after Close"))
		}
		if _, again := s.Read(make([]byte, 1)); again == nil {
			err = errors.Join(err, errors.New("read after Close"))
		}
		closed <- err
	})
	s, err := a.host.NewStream(t.Context(), b.id, lingerProtocol)
	require.NoError(t, err)
	said, err := io.ReadAll(s)
	require.NoError(t, err)
	require.Equal(t, "last words", string(said))
	require.NoError(t, <-closed)
	// QUIC would refuse these writes had the peer asked us to stop.
	for range 50 {
		_, err = s.Write(make([]byte, 1000))
		require.NoError(t, err)
		_, err = a.Ping(t.Context(), b.Self())
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	require.NoError(t, s.SetDeadline(time.Now()))
}
