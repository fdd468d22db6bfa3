package wazero_test

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/capsule"
	"inos/internal/testkit/capsules"
)

var wholeGiB = flag.Bool("gib", false, "feed a slow capsule 1 GiB instead of 64 MiB")

// A capsule slower than its stream is fed far more than the host may keep: Send
// blocks, nothing is dropped, and congestion is told when it begins and ends.
func TestASlowCapsuleHoldsItsStreamBack(t *testing.T) {
	var raised, cleared atomic.Int32
	var congested bool // the pump's
	c := open(t, compile(t, sharedRuntime(t), capsules.Built(t, "fault")), capsule.Config{OnHeartbeat: func(h capsule.Heartbeat) {
		if h.Congested != congested {
			if congested = h.Congested; congested {
				raised.Add(1)
			} else {
				cleared.Add(1)
			}
		}
	}})
	sink := func() string {
		out, err := c.Run(t.Context(), capsule.Task{Method: "sink", Args: []string{"5000"}}, nil)
		require.NoError(t, err)
		return string(out)
	}
	sink()
	total := 64 << 20
	if *wholeGiB {
		total = 1 << 30
	}
	sum := fnv.New64a()
	var memory runtime.MemStats
	var most uint64
	frame, sent := random(30_001), 0 // of no round length
	for sent < total {
		part := frame[:min(len(frame), total-sent)]
		part[sent%len(part)] = byte(sent >> 13)
		_, _ = sum.Write(part)
		require.NoError(t, c.Send(t.Context(), part))
		if before := sent >> 22; before != (sent+len(part))>>22 {
			runtime.ReadMemStats(&memory)
			most = max(most, memory.HeapAlloc)
		}
		sent += len(part)
	}
	require.Equal(t, fmt.Sprintf("%d %x", total, sum.Sum64()), sink())
	t.Logf("%d MiB, heap at most %d KiB, congestion raised %d times, cleared %d times", total>>20, most>>10, raised.Load(), cleared.Load())
	require.Less(t, most, uint64(64<<20))
	require.Positive(t, raised.Load(), "it was never congested")
	require.Positive(t, cleared.Load(), "the congestion was never cleared")
}

// seen keeps the instance that a capsule runs as.
type seen struct {
	capsule.Module
	in capsule.Instance
}

func (s *seen) Instantiate(ctx context.Context, epoch uint32, limit uint64) (in capsule.Instance, err error) {
	s.in, err = s.Module.Instantiate(ctx, epoch, limit)
	return s.in, err
}

func (s *seen) word(t *testing.T, off uint32) uint32 {
	v, err := s.in.Memory().Load32(s.in.Control() + off)
	require.NoError(t, err)
	return v
}

// A capsule paused under a stream has more to read than it can hold: it still
// hears the commands that come after, and loses nothing.
func TestACapsulePausedUnderAStreamIsResumed(t *testing.T) {
	mod := &seen{Module: compile(t, sharedRuntime(t), capsules.Built(t, "wordcount"))}
	c := open(t, mod, capsule.Config{})
	text := []byte(prose(11, 100_000))
	command(t, c, capsule.Pause)
	fed := make(chan error, 1)
	go func() {
		for at := 0; at < len(text); at += 3000 {
			if err := c.Send(t.Context(), text[at:min(at+3000, len(text))]); err != nil {
				fed <- err
				return
			}
		}
		fed <- nil
	}()
	// As much as the capsule holds is in its inbox then, and the ring is full.
	require.Eventually(t, func() bool {
		head, tail := mod.word(t, capsule.OffCommandHead), mod.word(t, capsule.OffCommandTail)
		return tail-head > 60<<10-3008
	}, time.Minute, time.Millisecond)
	// A few commands have room behind it.
	for range 4 {
		command(t, c, capsule.Pause)
	}
	command(t, c, capsule.Resume)
	require.NoError(t, <-fed)
	out, err := c.Run(t.Context(), capsule.Task{Method: "total"}, nil)
	require.NoError(t, err)
	require.Equal(t, counted(string(text)), string(out))
}
