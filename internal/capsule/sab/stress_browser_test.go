//go:build js && browser

package sab_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

// node test/browser/capsule/run.mjs -- -stress=10000000 -test.run=TestStress
var stressFrames = flag.Int("stress", 500_000, "frames of TestStress")

// canary is around what a frame carries; capsules/flood makes the same.
const canary = 0x1d05_c0de_ca9a_21e5

// stressFrame makes frame n of a stress run in buf.
func stressFrame(n, seed, most uint64, buf []byte) []byte {
	x := (seed ^ n*0x9e37_79b9_7f4a_7c15) | 1
	next := func() uint64 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		return x
	}
	le := binary.LittleEndian
	buf = le.AppendUint64(buf[:0], canary^n)
	buf = le.AppendUint64(buf, n)
	size := 16 + int((next()>>16)%(most+1))
	for len(buf) < size {
		buf = le.AppendUint64(buf, next())
	}
	buf = buf[:size]
	sum := uint64(0xcbf2_9ce4_8422_2325)
	for rest := buf; len(rest) > 0; {
		var word [8]byte
		rest = rest[copy(word[:], rest):]
		sum = (sum ^ le.Uint64(word[:])) * 0x0000_0100_0000_01b3
	}
	buf = le.AppendUint64(buf, sum)
	return le.AppendUint64(buf, ^uint64(canary)^n)
}

// Frames of random length cross a real Worker's rings, both ways at once, while
// the memory grows under them: every one arrives, whole, once and in order.
func TestStress(t *testing.T) {
	const seed, most = 42, 300
	var due uint64
	var broken error
	var want []byte
	m, err := newRuntime(t).Compile(t.Context(), built("flood"))
	require.NoError(t, err)
	c := open(t, m, capsule.Config{MemoryLimit: 16 << 20, OnData: func(p []byte) {
		if want = stressFrame(due, seed, most, want); broken == nil && string(want) != string(p) {
			broken = fmt.Errorf("frame %d: %d bytes %x, want %d bytes %x", due, len(p), p, len(want), want)
		}
		due++
	}})
	grown, stop := make(chan int, 1), make(chan struct{})
	go func() {
		times := 0
		for bytes := c.MemoryBytes() + capsule.PageSize; bytes <= 16<<20; bytes += capsule.PageSize {
			select {
			case <-stop:
				grown <- times
				return
			default:
			}
			r, err := c.Command(t.Context(), capsule.Command{Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: bytes}})
			if err == nil && r.Code == capsule.OK {
				times++
			}
		}
		grown <- times
	}()
	// Down, to a capsule that checks them as they come; then up.
	down := *stressFrames / 50
	var frame []byte
	for n := range down {
		frame = stressFrame(uint64(n), seed+1, most, frame)
		require.NoError(t, c.Send(t.Context(), frame))
	}
	out, err := c.Run(t.Context(), capsule.Task{Method: "taken"}, nil)
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(down), string(out))
	_, err = c.Run(t.Context(), capsule.Task{Method: "stress", Args: []string{strconv.Itoa(*stressFrames), strconv.Itoa(seed), strconv.Itoa(most)}}, nil)
	require.NoError(t, err)
	require.NoError(t, broken)
	require.EqualValues(t, *stressFrames, due)
	close(stop)
	times := <-grown
	require.Positive(t, times)
	t.Logf("%d frames up, %d down, the memory grown %d times to %d bytes", due, down, times, c.MemoryBytes())
}
