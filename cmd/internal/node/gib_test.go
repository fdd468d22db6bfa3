//go:build !js

package node

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/kernel"
	"inos/internal/kernel/lifecycle"
)

// gib is a GiB that repeats only after 8 bytes times 2^64, adding itself up as it is
// read and looking at how far its reader is ahead of taken.
type gib struct {
	left  int
	seed  uint64
	sum   interface{ Write([]byte) (int, error) }
	read  int64
	taken atomic.Int64

	ahead int64  // the most
	heap  uint64 // the most, in bytes
}

func (g *gib) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), g.left)]
	for at := 0; at+8 <= len(p); at += 8 {
		g.seed ^= g.seed << 13
		g.seed ^= g.seed >> 7
		g.seed ^= g.seed << 17
		binary.LittleEndian.PutUint64(p[at:], g.seed)
	}
	_, _ = g.sum.Write(p)
	g.left -= len(p)
	g.read += int64(len(p))
	g.ahead = max(g.ahead, g.read-g.taken.Load())
	if g.read>>22 != (g.read-int64(len(p)))>>22 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		g.heap = max(g.heap, m.HeapAlloc)
	}
	return len(p), nil
}

// A capsule slower than its stream is fed 1 GiB by another node, over the mesh as it
// is: the sender is held back by QUIC's windows, nothing is dropped or changed, and
// the heap, which here is that of both nodes, stays below 64 MiB.
func TestASlowCapsuleIsFedAGiBByAnotherNode(t *testing.T) {
	t.Run("webtransport", func(t *testing.T) { feedAGiB(t, "/ip4/127.0.0.1/udp/0/quic-v1/webtransport", gibBytes) })
	t.Run("quic", func(t *testing.T) { feedAGiB(t, "/ip4/127.0.0.1/udp/0/quic-v1", gibBytes/8) })
}

func feedAGiB(t *testing.T, listen string, size int) {
	home, far := start(t, 61, nil), startOn(t, 62, listen, trusting(61))
	require.NoError(t, home.Kernel.Join(t.Context(), home.mesh, far.mesh.Addrs()))
	id := spawn(t, home, far, "fault").CapsuleID
	sink := func() string { // "bytes sum" of what came since the last call
		out, err := far.Supervisor.Call(t.Context(), id, 0, capsule.Task{Method: "sink", Args: []string{gibDelay}}, nil)
		require.NoError(t, err)
		return string(out)
	}
	sink()
	events, cancel := far.Kernel.Subscribe(1 << 16)
	defer cancel()
	debug.FreeOSMemory() // what earlier tests left is not this one's

	sum := fnv.New64a()
	source := &gib{left: size, seed: 88172645463325252, sum: sum}
	began := time.Now()
	taken, err := home.Kernel.Feed(t.Context(), far.mesh.Self(), id, source,
		lifecycle.FeedOptions{OnTaken: func(total uint64) { source.taken.Store(int64(total)) }})
	took := time.Since(began)
	require.NoError(t, err)
	require.EqualValues(t, size, taken)
	require.Equal(t, fmt.Sprintf("%d %x", size, sum.Sum64()), sink())
	t.Logf("%d MiB in %v (%.0f MB/s), sender at most %d KiB ahead, heap at most %d KiB",
		size>>20, took.Round(time.Millisecond), float64(size)/1e6/took.Seconds(), source.ahead>>10, source.heap>>10)
	require.Less(t, source.heap, uint64(64<<20))
	// A stream's window in QUIC grows to 10 MiB at the most; a report is due every
	// 256 KiB; the rest is the sender's buffer, the ring and the capsule's inbox.
	require.Less(t, source.ahead, int64(11<<20), "the sender was held back")

	times, held := jams(t, events)
	t.Logf("the valve shut %d times, for %v in all", times, held.Round(time.Millisecond))
	if gibShuts > 0 {
		require.GreaterOrEqual(t, times, uint64(gibShuts*size/gibBytes), "it was the valve that did it")
	}
}

// jams adds up the jams until the end of the feed.
func jams(t *testing.T, events <-chan kernel.Event) (times uint64, held time.Duration) {
	for jammed, fed := false, false; jammed || !fed; {
		select {
		case e := <-events:
			switch e := e.(type) {
			case kernel.Fed:
				fed = true
			case kernel.Throttled:
				jammed = e.Throttle.Jammed
				times += e.Throttle.Times
				held += e.Throttle.Held
			case kernel.Dropped:
				require.Fail(t, "events were lost")
			}
		case <-time.After(time.Minute):
			require.Fail(t, "the jam was not told to be over")
		}
	}
	return times, held
}
