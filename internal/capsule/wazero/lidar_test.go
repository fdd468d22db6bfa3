package wazero_test

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

// cloud is a random point cloud: a room of walls and some points in the air.
func cloud(seed uint64, points int) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	out := make([]byte, 0, 12*points)
	for range points {
		p := [3]float64{rng.NormFloat64() * 4, rng.NormFloat64() * 4, rng.NormFloat64() * 4}
		if i := rng.IntN(4); i < 3 {
			p[i] = math.Copysign(10, p[i])
		}
		for _, x := range p {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(x)))
		}
	}
	return out
}

// downsampled computes independently what the capsule lidar returns.
func downsampled(points []byte, edge float64) []byte {
	type sum struct {
		n int
		p [3]float64
	}
	cubes := map[[3]float64]*sum{}
	var order []*sum
	for ; len(points) > 0; points = points[12:] {
		var p, at [3]float64
		for i := range p {
			p[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(points[4*i:])))
			at[i] = math.Floor(p[i] / edge)
		}
		s := cubes[at]
		if s == nil {
			s = &sum{}
			cubes[at] = s
			order = append(order, s)
		}
		s.n++
		for i := range p {
			s.p[i] += p[i]
		}
	}
	var out []byte
	for _, s := range order {
		for _, x := range s.p {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(x/float64(s.n))))
		}
	}
	return out
}

func TestLidarAgreesWithGo(t *testing.T) {
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "lidar")), capsule.Config{})
	points := cloud(1, 200_000)
	var sizes []int
	for _, f := range []struct {
		name string
		by   float64
	}{{"full", 1}, {"medium", 2}, {"low", 4}} {
		out, err := c.Run(t.Context(), capsule.Task{Args: []string{"0.1", f.name}, Input: points}, nil)
		require.NoError(t, err)
		require.Equal(t, downsampled(points, 0.1*f.by), out, f.name)
		sizes = append(sizes, len(out))
	}
	require.Greater(t, sizes[0], sizes[1])
	require.Greater(t, sizes[1], sizes[2])
}

// The capsule asks for memory before it needs it, the host resizes, and the job
// goes on in the larger memory. Past the limit the job fails politely.
func TestLidarAsksForMemoryAndGetsIt(t *testing.T) {
	ask := make(chan uint64, 64)
	var asked atomic.Int32
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "lidar")), capsule.Config{
		MemoryLimit: 64 << 20,
		OnHeartbeat: func(h capsule.Heartbeat) {
			if h.NeedsMoreMem {
				ask <- h.WantedBytes
			}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	resized := make(chan int, 1)
	go func() {
		granted := 0
		for {
			select {
			case bytes := <-ask:
				asked.Add(1)
				r, err := c.Command(ctx, capsule.Command{Type: capsule.ResizeMem, Resize: &capsule.ResizeParams{Bytes: bytes}})
				if err == nil && r.Code == capsule.OK {
					granted++
				}
			case <-ctx.Done():
				resized <- granted
				return
			}
		}
	}()
	points := cloud(2, 300_000)
	before := c.MemoryBytes()
	out, err := c.Run(t.Context(), capsule.Task{Args: []string{"0.01"}, Input: points}, nil)
	require.NoError(t, err)
	require.Equal(t, downsampled(points, 0.01), out)
	require.Positive(t, asked.Load(), "it never asked")
	require.Greater(t, c.MemoryBytes(), before)
	require.Greater(t, c.Epoch(), uint32(1))

	many := cloud(3, 1_000_000)
	_, err = c.Run(t.Context(), capsule.Task{Args: []string{strconv.FormatFloat(0.001, 'g', -1, 64)}, Input: many}, nil)
	require.ErrorIs(t, err, capsule.ErrRunNoMemory)
	out, err = c.Run(t.Context(), capsule.Task{Args: []string{"0.5"}, Input: points}, nil)
	require.NoError(t, err, "it lives on")
	require.Equal(t, downsampled(points, 0.5), out)
	cancel()
	require.Positive(t, <-resized)
}
