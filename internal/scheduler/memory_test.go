package scheduler

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// heap is the live Go heap after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// filled is an index of n nodes and the bytes it keeps alive, ids and places
// included.
func filled(n int) (*Index, int64) {
	before := heap()
	x := New(Config{})
	fill(x, n)
	return x, heap() - before
}

// maxNodeBytes bounds what a known node costs: a million fit into 512 MB.
const maxNodeBytes = 512

func TestBytesPerNode(t *testing.T) {
	for _, n := range []int{10_000, 33_000} { // just under and just over a doubling
		x, bytes := filled(n)
		require.Less(t, bytes/int64(n), int64(maxNodeBytes), "%d nodes", n)
		t.Logf("%d nodes: %d bytes each", n, bytes/int64(n))
		runtime.KeepAlive(x)
	}
}

// Not a time: the memory that indexes of several sizes keep alive.
func BenchmarkMemory(b *testing.B) {
	sizes := []int{1000, 100_000}
	if runtime.GOOS != "js" {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var bytes int64
			for b.Loop() {
				var x *Index
				x, bytes = filled(n)
				runtime.KeepAlive(x)
			}
			b.ReportMetric(float64(bytes)/1e6, "MB")
			b.ReportMetric(float64(bytes)/float64(n), "B/node")
		})
	}
}
