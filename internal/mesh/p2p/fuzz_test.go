package p2p

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
)

// bytesStream is a stream that holds what a peer sent.
type bytesStream struct {
	network.Stream
	r io.Reader
}

func (s bytesStream) Read(p []byte) (int, error)       { return s.r.Read(p) }
func (s bytesStream) SetReadDeadline(time.Time) error  { return nil }
func (s bytesStream) SetWriteDeadline(time.Time) error { return nil }
func (s bytesStream) Write(p []byte) (int, error)      { return len(p), nil }

// FuzzFrames: whatever comes, a frame is within its limit, memory follows the
// bytes that came, and the end is one of few errors.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{3, 'a', 'b', 'c', 0, 1, 'x'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{0x80, 0x00})
	f.Add([]byte{0xff, 0xff, 0x3f, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 20
		fr := newFrames(bytesStream{r: bytes.NewReader(data)}, time.Second)
		total := 0
		for {
			frame, err := fr.read(limit)
			if err != nil {
				require.True(t, err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, mesh.ErrProtocol), "%v", err)
				break
			}
			require.LessOrEqual(t, len(frame), limit)
			total += len(frame)
		}
		require.LessOrEqual(t, total, len(data))
		require.LessOrEqual(t, cap(fr.in), 2*len(data)+growStep)
	})
}

func FuzzParseMultiaddr(f *testing.F) {
	f.Add("/ip4/127.0.0.1/udp/1/quic-v1/webtransport/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo")
	f.Add("/p2p/x")
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := parseAddr(s); err != nil {
			require.ErrorIs(t, err, mesh.ErrAddress)
		}
	})
}
