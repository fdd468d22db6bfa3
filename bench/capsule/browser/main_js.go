// Command browser is the kernel's half of the capsule benchmark: it measures capsules, and has the
// page's peers do the same by other means, in turns. It prints a line of JSON for each figure.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall/js"
	"time"

	"inos/bench/capsule/jobs"
	"inos/internal/capsule"
	"inos/internal/capsule/sab"
	"inos/internal/jsinterop"
	"inos/internal/wire"
)

var (
	rounds     = flag.Int("rounds", 5, "turns of each contestant")
	tripsATurn = flag.Int("trips", 10_000, "round trips a turn, a fiftieth of it of paced ones")
	frames     = flag.Int("frames", 5_000_000, "frames of the events benchmark")
	many       = flag.Int("capsules", 64, "capsules at once")
	spawns     = flag.Int("spawns", 30, "capsules spawned")
	only       = flag.String("only", "", "one of command, paced, events, payload, spawn, job; all if empty")
	payload    = flag.Int("payload", 64<<20, "bytes handed over")
)

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		fmt.Println("FAIL:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context) error {
	rt := sab.New(sab.Config{NoSpare: true})
	defer rt.Close()
	mod, err := rt.Compile(ctx, flood())
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context, capsule.Module) error
	}{{"command", roundTrips}, {"paced", pacedTrips}, {"events", events}, {"payload", payloads}, {"spawn", spawning}, {"job", smallJobs}} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.measure(ctx, mod); err != nil {
			return err
		}
	}
	return nil
}

// flood is the module that all figures are measured with.
func flood() []byte {
	wasm, _ := jsinterop.Bytes(js.Global().Get("__capsules").Get("flood"))
	return wasm
}

// figure is one line of output: a distribution in milliseconds, or a plain value.
type figure struct {
	What, By string
	P50, P99 float64 `json:",omitempty"`
	Value    float64 `json:",omitempty"`
	Unit     string  `json:",omitempty"`
}

func print(f figure) {
	b, _ := json.Marshal(f)
	fmt.Println("RESULT", string(b))
}

func distribution(what, by string, ms []float64) {
	slices.Sort(ms)
	print(figure{What: what, By: by, P50: ms[len(ms)/2], P99: ms[len(ms)*99/100]})
}

// peer asks the page for times.
func peer(method string, args ...any) ([]float64, error) {
	v, err := jsinterop.Await(context.Background(), js.Global().Get("__peers").Call(method, args...), nil)
	if err != nil {
		return nil, fmt.Errorf("peer %s: %w", method, err)
	}
	ms := make([]float64, v.Length())
	for i := range ms {
		ms[i] = v.Index(i).Float()
	}
	return ms, nil
}

func open(ctx context.Context, mod capsule.Module, cfg capsule.Config) (*capsule.Capsule, error) {
	cfg.ID, cfg.Codec, cfg.ReadyTimeout = "c1", wire.Capsules{}, time.Minute
	return capsule.Open(ctx, mod, cfg)
}

func end(c *capsule.Capsule) {
	c.Kill(errors.New("done"))
	<-c.Done()
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// warmFrames are sent before the count begins: the host's buffer grows with the fullest ring that
// it has seen.
const warmFrames = 200_000

// flooding lets n capsules send frames frames each and returns frames per second in total. t, if
// not nil, is started when all capsules run steadily.
func flooding(ctx context.Context, mod capsule.Module, n, frames int, t *tally) (rate float64, err error) {
	var got, bytes int
	all := make([]*capsule.Capsule, n)
	for i := range all {
		all[i], err = open(ctx, mod, capsule.Config{OnData: func(p []byte) { got++; bytes += len(p) }, Heartbeat: time.Second})
		if err != nil {
			return 0, err
		}
		defer end(all[i])
	}
	task := func(frames int) capsule.Task {
		return capsule.Task{Method: "flood", Args: []string{strconv.Itoa(frames), "64"}}
	}
	together := func(frames int) error {
		var wg sync.WaitGroup
		errs := make([]error, n)
		for i, c := range all {
			wg.Go(func() { _, errs[i] = c.Run(ctx, task(frames), nil) })
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := together(warmFrames / n); err != nil {
		return 0, err
	}
	if t != nil {
		t.start()
	}
	got, bytes = 0, 0
	began := time.Now()
	if err := together(frames); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if got != n*frames || bytes != 64*got {
		return 0, fmt.Errorf("%d frames of %d, %d bytes", got, n*frames, bytes)
	}
	return float64(got) / took.Seconds(), nil
}

func events(ctx context.Context, mod capsule.Module) error {
	var one, most float64
	for range 3 {
		r1, err := flooding(ctx, mod, 1, *frames, nil)
		if err != nil {
			return err
		}
		rn, err := flooding(ctx, mod, *many, *frames*2 / *many, nil)
		if err != nil {
			return err
		}
		one, most = max(one, r1), max(most, rn)
	}
	var t tally
	if _, err := flooding(ctx, mod, 1, *frames, &t); err != nil {
		return err
	}
	ours, runtimes := t.done()
	perFrame := func(n int64) float64 { return float64(n) / float64(*frames) }
	print(figure{What: "events", By: "one capsule", Value: one, Unit: "frames/s"})
	print(figure{What: "events", By: "our allocations", Value: perFrame(ours), Unit: "per frame"})
	print(figure{What: "events", By: "Go's own allocations", Value: perFrame(runtimes), Unit: "per frame"})
	print(figure{What: "events", By: strconv.Itoa(*many) + " capsules", Value: most, Unit: "frames/s"})
	return nil
}

// payloads compares jobs whose input is *payload bytes, one after the other, with plain copies of
// the same Go slice. A job is all of it: the request for room, one copy, the job's call and its
// answer. All memory was written to before, on both sides: the first rounds do not count.
func payloads(ctx context.Context, mod capsule.Module) error {
	c, err := open(ctx, mod, capsule.Config{MemoryLimit: 256 << 20, Heartbeat: time.Second})
	if err != nil {
		return err
	}
	defer end(c)
	input, other := make([]byte, *payload), make([]byte, *payload)
	for i := range input {
		input[i] = byte(i)
	}
	array := js.Global().Get("Uint8Array")
	shared := array.New(js.Global().Get("SharedArrayBuffer").New(*payload))
	job := func(input []byte) func() error {
		return func() error {
			_, err := c.Run(ctx, capsule.Task{Method: "nothing", Input: input}, nil)
			return err
		}
	}
	ways := []struct {
		by  string
		run func() error
	}{
		{"inos", job(input)},
		{"memcpy to shared memory", func() error { js.CopyBytesToJS(shared, input); return nil }},
		{"memcpy in Go", func() error { copy(other, input); return nil }},
		{"64 bytes", job(input[:64])},
	}
	times := make([][]float64, len(ways))
	for round := range *rounds*6 + 3 {
		for i, way := range ways {
			began := time.Now()
			if err := way.run(); err != nil {
				return err
			}
			if took := ms(time.Since(began)); round >= 3 {
				times[i] = append(times[i], took)
			}
		}
	}
	for i, way := range ways {
		distribution("payload", way.by, times[i])
	}
	return nil
}

// spawning measures a Runtime with its default, which keeps a Worker ready, and then one without,
// in turns with a bare Worker.
func spawning(ctx context.Context, _ capsule.Module) error {
	var bare []float64
	measure := func(by string, cfg sab.Config, between func() error) error {
		rt := sab.New(cfg)
		defer rt.Close()
		mod, err := rt.Compile(ctx, flood())
		if err != nil {
			return err
		}
		var times []float64
		for i := range *spawns + 3 {
			began := time.Now()
			c, err := open(ctx, mod, capsule.Config{})
			if err != nil {
				return err
			}
			if i >= 3 {
				times = append(times, ms(time.Since(began)))
			}
			end(c)
			if err := between(); err != nil {
				return err
			}
		}
		distribution("spawn", by, times)
		return nil
	}
	err := measure("inos", sab.Config{}, func() error {
		time.Sleep(spareLoads)
		return nil
	})
	if err != nil {
		return err
	}
	err = measure("no spare", sab.Config{NoSpare: true}, func() error {
		b, err := peer("spawn", 1)
		bare = append(bare, b...)
		return err
	})
	if err != nil {
		return err
	}
	distribution("spawn", "bare Worker", bare[3:])
	return nil
}

// smallJobs measures a supervisor with small jobs: one after the other, and as many at
// once as there are slots.
func smallJobs(ctx context.Context, _ capsule.Module) error {
	for _, atOnce := range []int{1, jobs.AtOnce} {
		rt := sab.New(sab.Config{})
		f, err := jobs.Measure(ctx, rt, flood(), atOnce, 5*time.Second)
		if err := errors.Join(err, rt.Close()); err != nil {
			return err
		}
		slices.Sort(f.Times)
		print(figure{What: f.Name, By: "inos", P50: f.Times[len(f.Times)/2], P99: f.Times[len(f.Times)*99/100], Value: f.Rate, Unit: "jobs/s"})
	}
	return nil
}

// spareLoads is longer than the next spare Worker takes to load.
const spareLoads = 250 * time.Millisecond
