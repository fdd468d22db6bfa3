package wazero_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
	"inos/internal/wire"
)

func command(t *testing.T, c *capsule.Capsule, kind capsule.CommandType) {
	t.Helper()
	r, err := c.Command(t.Context(), capsule.Command{Type: kind})
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code, r.Message)
}

// moved pauses c, takes its image through its encoding, ends c, and restores it.
func moved(t *testing.T, c *capsule.Capsule, mod capsule.Module) *capsule.Capsule {
	t.Helper()
	command(t, c, capsule.Pause)
	im, r, err := c.Snapshot(t.Context(), capsule.Command{ID: "s", Type: capsule.Snapshot})
	require.NoError(t, err)
	require.Equal(t, capsule.OK, r.Code, r.Message)
	require.Equal(t, "s", r.ID)
	blob := im.Encode(true)
	t.Logf("memory %d bytes, blocks %d, image %d bytes", im.MemoryBytes, len(im.Blocks), len(blob))
	c.Kill(errors.New("moved"))
	<-c.Done()
	im, err = capsule.DecodeImage(blob, 1<<30)
	require.NoError(t, err)
	require.Equal(t, capsule.SumCID(blob), capsule.SumCID(im.Encode(true)))
	next, err := capsule.Restore(t.Context(), mod, im, capsule.Config{ID: "restored", Codec: wire.Capsules{}})
	require.NoError(t, err)
	t.Cleanup(func() { next.Kill(errors.New("end of the test")); <-next.Done() })
	require.Equal(t, c.Epoch()+1, next.Epoch())
	require.EqualValues(t, c.LastHeartbeat().JobsDone, next.LastHeartbeat().JobsDone)
	return next
}

// A stream is counted by four instances in a row, in memories of their own; what
// the paused ones had not read yet goes with them.
func TestACapsuleGoesOnWhereItsImageWasTaken(t *testing.T) {
	mod := compile(t, sharedRuntime(t), capsules.Built(t, "wordcount"))
	c := open(t, mod, capsule.Config{})
	text := []byte(prose(9, 30_000))
	const parts = 4
	for i := range parts {
		part := text[len(text)*i/parts : len(text)*(i+1)/parts]
		for len(part) > 0 {
			if len(part) <= 20_000 && i < parts-1 {
				command(t, c, capsule.Pause) // the rest waits in inbox and ring
			}
			n := min(len(part), 1777)
			require.NoError(t, c.Send(t.Context(), part[:n]))
			part = part[n:]
		}
		if i < parts-1 {
			c = moved(t, c, mod)
			require.EqualValues(t, i+2, c.Epoch())
		}
	}
	out, err := c.Run(t.Context(), capsule.Task{Method: "total"}, nil)
	require.NoError(t, err)
	require.Equal(t, counted(string(text)), string(out))
}

// The heap's state comes along, and so do the thread-locals of a capsule that
// has the standard library.
func TestRestoredHeapsAndThreadLocalsWork(t *testing.T) {
	rt := sharedRuntime(t)
	t.Run("lidar", func(t *testing.T) {
		mod := compile(t, rt, capsules.Built(t, "lidar"))
		c := open(t, mod, capsule.Config{})
		for i := range 4 {
			points := cloud(uint64(i), 50_000*(i+1))
			out, err := c.Run(t.Context(), capsule.Task{Args: []string{"0.05"}, Input: points}, nil)
			require.NoError(t, err)
			require.Equal(t, downsampled(points, 0.05), out)
			c = moved(t, c, mod)
		}
	})
	t.Run("image", func(t *testing.T) {
		mod := compile(t, rt, capsules.Built(t, "image"))
		c := open(t, mod, capsule.Config{})
		var asPNG bytes.Buffer
		require.NoError(t, png.Encode(&asPNG, scene(64, 48)))
		var first []byte
		for range 3 {
			out, err := c.Run(t.Context(), capsule.Task{Args: []string{"33", "0"}, Input: asPNG.Bytes()}, nil)
			require.NoError(t, err)
			if first == nil {
				first = out
			}
			require.Equal(t, first, out)
			c = moved(t, c, mod)
		}
	})
}

func TestWhatCannotBeTaken(t *testing.T) {
	mod := compile(t, sharedRuntime(t), capsules.Built(t, "fault"))
	c := open(t, mod, capsule.Config{})
	refused := func(why string) {
		t.Helper()
		im, r, err := c.Snapshot(t.Context(), capsule.Command{Type: capsule.Snapshot})
		require.NoError(t, err)
		require.Nil(t, im)
		require.Equal(t, capsule.InvalidState, r.Code)
		require.Contains(t, r.Message, why)
	}
	refused("not paused")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	working, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, capsule.Task{Method: "work"}, func(capsule.Progress) {
			select {
			case working <- struct{}{}:
			default:
			}
		})
		ended <- err
	}()
	<-working
	refused("1 jobs are in flight")
	command(t, c, capsule.Pause)
	refused("1 jobs are in flight")
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	command(t, c, capsule.Resume)
	// It lives on, and can be taken between its jobs.
	out, err := c.Run(t.Context(), capsule.Task{Input: []byte("x")}, nil)
	require.NoError(t, err)
	require.Equal(t, "x", string(out))
	c = moved(t, c, mod)
	c.Kill(nil)
	<-c.Done()
	_, r, err := c.Snapshot(t.Context(), capsule.Command{Type: capsule.Snapshot})
	require.ErrorIs(t, err, capsule.ErrKilled)
	require.Equal(t, capsule.Crashed, r.Code)
}

// A capsule may be taken again and again, and is not disturbed by it.
func TestTakingDoesNotDisturb(t *testing.T) {
	mod := compile(t, sharedRuntime(t), capsules.Built(t, "wordcount"))
	c := open(t, mod, capsule.Config{})
	text := []byte(prose(10, 5_000))
	for at := 0; at < len(text); at += 1000 {
		require.NoError(t, c.Send(t.Context(), text[at:min(at+1000, len(text))]))
		if at%20_000 == 0 {
			command(t, c, capsule.Pause)
			_, r, err := c.Snapshot(t.Context(), capsule.Command{})
			require.NoError(t, err)
			require.Equal(t, capsule.OK, r.Code, r.Message)
			command(t, c, capsule.Resume)
		}
	}
	out, err := c.Run(t.Context(), capsule.Task{Method: "total"}, nil)
	require.NoError(t, err)
	require.Equal(t, counted(string(text)), string(out))
}

func TestARestoreIsRefusedAndNamed(t *testing.T) {
	rt := sharedRuntime(t)
	mod := compile(t, rt, capsules.Built(t, "wordcount"))
	c := open(t, mod, capsule.Config{})
	command(t, c, capsule.Pause)
	im, _, err := c.Snapshot(t.Context(), capsule.Command{})
	require.NoError(t, err)
	for i, wrong := range []func(*capsule.Image){
		func(im *capsule.Image) { im.ABI++ },
		func(im *capsule.Image) { im.CapsuleCID = capsule.SumCID(nil) },
		func(im *capsule.Image) { im.MemoryBytes = capsule.PageSize },
		func(im *capsule.Image) { im.MemoryBytes = 2 << 30 },
	} {
		bad := *im
		wrong(&bad)
		_, err := capsule.Restore(t.Context(), mod, &bad, capsule.Config{Codec: wire.Capsules{}})
		require.ErrorIs(t, err, capsule.ErrImage, fmt.Sprint(i))
	}
	// An image of nothing but zeros is a fresh capsule; one of noise must not hurt.
	empty := *im
	empty.Blocks = nil
	fresh, err := capsule.Restore(t.Context(), mod, &empty, capsule.Config{Codec: wire.Capsules{}})
	require.NoError(t, err)
	fresh.Kill(nil)
	<-fresh.Done()
	noise := *im
	noise.Blocks = nil
	for _, b := range im.Blocks {
		noise.Blocks = append(noise.Blocks, capsule.Block{Index: b.Index, Bytes: random(capsule.ImageBlock)})
	}
	_, err = capsule.Restore(t.Context(), mod, &noise, capsule.Config{Codec: wire.Capsules{}, ReadyTimeout: 300e6})
	require.Error(t, err)
	t.Log(err)
}
