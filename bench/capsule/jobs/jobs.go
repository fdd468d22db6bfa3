// Package jobs measures small jobs on a supervisor over a runtime. It is the same program natively
// and in a browser.
package jobs

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"inos/internal/capsule"
	"inos/internal/supervisor"
	"inos/internal/wire"
)

// AtOnce is the number of slots of a node's supervisor.
const AtOnce = supervisor.DefaultMaxCapsules

// Figure is the result for jobs of 64 bytes.
type Figure struct {
	Name  string
	Times []float64 // of each, in milliseconds
	Rate  float64   // jobs a second
}

// blobs is a supervisor.Blobs with one capsule.
type blobs struct {
	cid  capsule.CID
	wasm []byte
}

func (b blobs) Get(context.Context, capsule.CID) ([]byte, capsule.Manifest, error) {
	return b.wasm, capsule.Manifest{CID: b.cid}, nil
}

// Measure lets the capsule flood echo 64 bytes again and again, atOnce jobs at a time, for the time
// long, after a tenth of that as a warm-up.
func Measure(ctx context.Context, rt capsule.Runtime, wasm []byte, atOnce int, long time.Duration) (Figure, error) {
	have := blobs{capsule.SumCID(wasm), wasm}
	s, err := supervisor.New(supervisor.Config{Runtime: rt, Codec: wire.Capsules{}, Blobs: have})
	if err != nil {
		return Figure{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(ctx) })
	defer serving.Wait()
	defer stop()
	input := bytes.Repeat([]byte("inos"), 16)
	job := func() error {
		out, err := s.Run(ctx, have.cid, supervisor.Limits{MemoryBytes: 64 << 20}, capsule.Task{Method: "echo", Input: input}, nil)
		if err == nil && !bytes.Equal(out, input) {
			err = fmt.Errorf("jobs: %d other bytes came back", len(out))
		}
		return err
	}
	for _, warm := range []bool{true, false} {
		span := long
		if warm {
			span /= 10
		}
		times, took, err := together(atOnce, span, job)
		if err != nil || !warm {
			f := Figure{Name: "job", Times: times, Rate: float64(len(times)) / took.Seconds()}
			if atOnce > 1 {
				f.Name = fmt.Sprintf("job of %d", atOnce)
			}
			return f, err
		}
	}
	panic("unreachable")
}

// together runs jobs for the time long, atOnce at a time.
func together(atOnce int, long time.Duration, job func() error) (times []float64, took time.Duration, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for range atOnce {
		wg.Go(func() {
			for time.Since(began) < long {
				start := time.Now()
				e := job()
				mu.Lock()
				times = append(times, float64(time.Since(start))/1e6)
				if e != nil {
					err = e
				}
				mu.Unlock()
				if e != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return times, time.Since(began), err
}
