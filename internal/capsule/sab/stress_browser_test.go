//go:build js && browser

package sab_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
)

// node test/browser/capsule/run.mjs --of capsule -- -stress=500000 -test.run=TestStress
var stressFrames = flag.Int("stress", 10_000_000, "frames of TestStress")

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

// Frames of random length cross a real Worker's rings, both ways, while the memory
// grows under them: every one arrives, whole, once and in order. It grows a page
// after every so many frames, so that it does from the first to the last.
func TestStress(t *testing.T) {
	const seed, most, limit = 42, 300, 16 << 20
	up, down := uint64(*stressFrames), uint64(*stressFrames/50)
	var due uint64
	var broken error
	var want []byte
	grow := newGrowth()
	m, err := newRuntime(t).Compile(t.Context(), built("flood"))
	require.NoError(t, err)
	c := open(t, m, capsule.Config{MemoryLimit: limit, OnData: func(p []byte) {
		if want = stressFrame(due, seed, most, want); broken == nil && string(want) != string(p) {
			broken = fmt.Errorf("frame %d: %d bytes %x, want %d bytes %x", due, len(p), p, len(want), want)
		}
		due++
		grow.pass(due)
	}})
	pages := (limit - c.MemoryBytes()) / capsule.PageSize
	// A third of the pages while frames go down, the rest while they come up.
	first := grow.run(t, c, pages/3, down)
	var frame []byte
	for n := range down {
		frame = stressFrame(n, seed+1, most, frame)
		require.NoError(t, c.Send(t.Context(), frame))
		grow.pass(n + 1)
	}
	out, err := c.Run(t.Context(), capsule.Task{Method: "taken"}, nil)
	require.NoError(t, err)
	require.Equal(t, strconv.FormatUint(down, 10), string(out))
	whileDown := <-first
	second := grow.run(t, c, pages-pages/3, up)
	_, err = c.Run(t.Context(), capsule.Task{Method: "stress", Args: []string{strconv.FormatUint(up, 10), strconv.Itoa(seed), strconv.Itoa(most)}}, nil)
	require.NoError(t, err)
	require.NoError(t, broken)
	require.Equal(t, up, due)
	whileUp := <-second
	require.GreaterOrEqual(t, tenths(whileDown, down), 8, "of the frames down: %d", whileDown)
	require.GreaterOrEqual(t, tenths(whileUp, up), 8, "of the frames up: %d", whileUp)
	t.Logf("%d frames up, %d down, the memory grown %d and %d times to %d bytes", up, down, len(whileUp), len(whileDown), c.MemoryBytes())
}

// tenths is in how many tenths of the frames the memory grew. It does so between two
// turns of the pump, which may take some thousand frames each.
func tenths(at []uint64, frames uint64) int {
	grew := map[uint64]bool{}
	for _, n := range at {
		grew[n*10/frames] = true
	}
	delete(grew, 10) // after the last frame
	return len(grew)
}

// growth grows a capsule's memory as frames pass.
type growth struct {
	passed atomic.Uint64
	bell   chan struct{}
}

func newGrowth() *growth { return &growth{bell: make(chan struct{}, 1)} }

// pass says how many frames have passed.
func (g *growth) pass(n uint64) {
	g.passed.Store(n)
	if n%64 == 0 {
		select {
		case g.bell <- struct{}{}:
		default:
		}
	}
}

// run grows c by pages, one after each part of frames, and returns how many had
// passed at each growth.
func (g *growth) run(t *testing.T, c *capsule.Capsule, pages, frames uint64) <-chan []uint64 {
	g.passed.Store(0)
	done := make(chan []uint64, 1)
	go func() {
		var at []uint64
		defer func() { done <- at }()
		for page := uint64(1); page < pages; page++ {
			for g.passed.Load() < page*frames/pages {
				select {
				case <-g.bell:
				case <-t.Context().Done():
					return
				}
			}
			r, err := c.Command(t.Context(), capsule.Command{Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: c.MemoryBytes() + capsule.PageSize}})
			if err != nil || r.Code != capsule.OK {
				t.Errorf("growth %d: %v %s", page, err, r.Message)
				return
			}
			at = append(at, g.passed.Load())
		}
	}()
	return done
}
