package p2p

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/wire"
)

// reader is a worker that says how it went with a job's input.
type reader struct {
	*worker
	read chan error
}

func (r reader) HandleJob(ctx context.Context, _ identity.PeerID, call mesh.JobCall, _ mesh.FetchFunc, _ func(mesh.Progress)) mesh.JobOutcome {
	_, err := call.ReadInput(ctx)
	r.read <- err
	return mesh.JobOutcome{}
}

// drip sends the request of a job and then its input byte by byte, until the node has
// had enough.
func drip(t *testing.T, from, to *node, length int) {
	s, end, err := from.open(t.Context(), to.Self(), JobProtocol)
	require.NoError(t, err)
	request, err := from.request(call("drip", make([]byte, length)))
	require.NoError(t, err)
	require.NoError(t, s.send(request))
	one, err := wire.EncodeJobFrame(wire.JobFrame{Input: []byte{1}})
	require.NoError(t, err)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range length {
		<-tick.C
		if err = s.send(one); err != nil {
			break
		}
	}
	require.Error(t, err, "nobody read it to its end")
	end(err)
}

// An input that comes byte by byte, each within the silence allowed, is given up within that
// silence, however long it claims to be.
func TestDrippingInputIsGivenUp(t *testing.T) {
	read := make(chan error, 1)
	a := start(t, 420, func(c *Config) {
		c.StallTimeout = 3 * time.Second
		c.Handler = reader{c.Handler.(*worker), read}
	})
	b := start(t, 421, nil, a)
	until(t, b, connected(a))
	drip(t, b, a, 64<<20)
	err := <-read
	require.ErrorIs(t, err, mesh.ErrTimeout)
	require.ErrorContains(t, err, "of 67108864 bytes of input")
}

// The end of a job's context reaches a read that begins after it, too.
func TestACancelledReadStaysCancelled(t *testing.T) {
	read := make(chan error, 1)
	a := start(t, 422, func(c *Config) { c.Handler = cancellingReader{reader{c.Handler.(*worker), read}} })
	b := start(t, 423, nil, a)
	until(t, b, connected(a))
	s, end, err := b.open(t.Context(), a.Self(), JobProtocol)
	require.NoError(t, err)
	defer end(context.Canceled)
	request, err := b.request(call("late", make([]byte, 1000)))
	require.NoError(t, err)
	require.NoError(t, s.send(request))
	require.ErrorIs(t, <-read, context.Canceled)
}

// cancellingReader cancels the reading just when it begins.
type cancellingReader struct{ reader }

func (l cancellingReader) HandleJob(ctx context.Context, from identity.PeerID, call mesh.JobCall, fetch mesh.FetchFunc, report func(mesh.Progress)) mesh.JobOutcome {
	ctx, cancel := context.WithCancel(ctx)
	body := call.Body
	call.Body = func(ctx context.Context) ([]byte, error) {
		time.AfterFunc(20*time.Millisecond, cancel)
		return body(ctx)
	}
	return l.reader.HandleJob(ctx, from, call, fetch, report)
}

// serveSlowly answers fetches of blob with a chunk every 50 ms.
func serveSlowly(n *node, blob mesh.Blob) {
	n.host.SetStreamHandler(CapsuleProtocol, func(s network.Stream) {
		defer func() { _ = s.Reset() }()
		f := newFrames(s, time.Minute)
		if _, err := f.read(replyFrame); err != nil {
			return
		}
		if err := sendCapsuleFrame(f, wire.CapsuleFrame{Have: blob.SignedManifest}); err != nil {
			return
		}
		size := int(blob.Manifest.ChunkSize)
		for i := range blob.Manifest.Chunks {
			time.Sleep(50 * time.Millisecond)
			chunk := wire.CapsuleChunk{Index: uint32(i), Data: blob.Wasm[i*size : min((i+1)*size, len(blob.Wasm))]}
			if err := sendCapsuleFrame(f, wire.CapsuleFrame{Chunk: &chunk}); err != nil {
				return
			}
		}
	})
}

// A capsule that comes byte by byte is given up, too.
func TestADrippingCapsuleIsGivenUp(t *testing.T) {
	b, a := pair(t, 424, func(c *Config) { c.StallTimeout = 2 * time.Second })
	blob := makeBlob(t, 20_000, 1)
	serveSlowly(b, blob)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := a.FetchCapsule(ctx, b.Self(), mesh.FetchCall{CID: blob.Manifest.CID})
	require.NoError(t, ctx.Err())
	require.ErrorIs(t, err, mesh.ErrTimeout)
}

// slowWriter is a stream whose other side takes so many bytes a second.
type slowWriter struct {
	network.Stream
	rate  int
	until time.Time
	taken int
}

func (s *slowWriter) SetWriteDeadline(t time.Time) error { s.until = t; return nil }

func (s *slowWriter) Write(p []byte) (int, error) {
	takes := time.Duration(len(p)) * time.Second / time.Duration(s.rate)
	if left := time.Until(s.until); takes > left {
		time.Sleep(left)
		s.taken += int(left * time.Duration(s.rate) / time.Second)
		return int(left * time.Duration(s.rate) / time.Second), os.ErrDeadlineExceeded
	}
	time.Sleep(takes)
	s.taken += len(p)
	return len(p), nil
}

// Whoever takes what he asked for byte by byte keeps no stream open for it; whoever takes it
// at the least rate gets it all.
func TestADrippingReaderIsGivenUp(t *testing.T) {
	const silence, length, chunk = 15 * time.Second, 8 << 20, 1 << 10
	serve := func(rate int) (taken int, err error) {
		s := &slowWriter{rate: rate}
		f := newFrames(s, silence)
		for range length / chunk {
			if err := f.put(make([]byte, chunk)); err != nil {
				return s.taken, err
			}
		}
		return s.taken, f.flush()
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := serve(leastRate / 4)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, silence, time.Since(began))
		taken, err := serve(leastRate + leastRate/64)
		require.NoError(t, err)
		require.Greater(t, taken, length)
	})
}

// Some may be slow, as those are whose path loses packets: while their network has its share
// of the places for that, and not slower than slowRate.
func TestAFewMayBeSlow(t *testing.T) {
	const silence = 15 * time.Second
	serve := func(g *streamLimiter, net string, rate int) error {
		f := newFrames(&slowWriter{rate: rate}, silence)
		f.slow = &slowPlace{of: g, net: net}
		for range 256 {
			if err := f.put(make([]byte, 256)); err != nil {
				return err
			}
		}
		return f.flush()
	}
	synctest.Test(t, func(t *testing.T) {
		g := newStreamLimiter()
		require.NoError(t, serve(g, "here", leastRate/32))
		require.ErrorIs(t, serve(g, "here", slowRate/2), os.ErrDeadlineExceeded)
		require.Equal(t, 1, g.slow.used, "its place was not given back")
		for g.slower("here") {
		}
		require.Equal(t, slowInAll/2, g.slow.used, "one network has half of the places at the most")
		require.ErrorIs(t, serve(g, "here", leastRate/32), os.ErrDeadlineExceeded)
		require.NoError(t, serve(g, "elsewhere", leastRate/32))
	})
}
