// Command browser is the kernel's half of the capsule benchmark: it measures
// capsules, and asks the page's peers to do the same by other means, in turns. It
// prints a line of JSON for each figure.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall/js"
	"time"

	"inos/internal/capsule"
	"inos/internal/capsule/sab"
	"inos/internal/wire"
)

var (
	rounds  = flag.Int("rounds", 5, "turns of each contestant")
	trips   = flag.Int("trips", 2000, "round trips a turn")
	frames  = flag.Int("frames", 1_000_000, "frames of the events benchmark")
	many    = flag.Int("capsules", 64, "capsules at once")
	spawns  = flag.Int("spawns", 30, "capsules spawned")
	payload = flag.Int("payload", 64<<20, "bytes handed over")
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
	src := js.Global().Get("__flood")
	wasm := make([]byte, src.Get("length").Int())
	js.CopyBytesToGo(wasm, src)
	rt := sab.New(sab.Config{})
	defer rt.Close()
	mod, err := rt.Compile(ctx, wasm)
	if err != nil {
		return err
	}
	for _, f := range []func(context.Context, capsule.Module) error{roundTrips, events, payloads, spawning} {
		if err := f(ctx, mod); err != nil {
			return err
		}
	}
	return nil
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
func peer(method string, args ...any) []float64 {
	done := make(chan js.Value, 1)
	took := js.FuncOf(func(_ js.Value, args []js.Value) any { done <- args[0]; return nil })
	defer took.Release()
	js.Global().Get("__peers").Call(method, args...).Call("then", took)
	v := <-done
	ms := make([]float64, v.Length())
	for i := range ms {
		ms[i] = v.Index(i).Float()
	}
	return ms
}

func open(ctx context.Context, mod capsule.Module, cfg capsule.Config) (*capsule.Capsule, error) {
	cfg.ID, cfg.Codec, cfg.ReadyTimeout = "c1", wire.Capsules{}, time.Minute
	return capsule.Open(ctx, mod, cfg)
}

func end(c *capsule.Capsule) {
	c.Kill("done")
	<-c.Done()
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

func roundTrips(ctx context.Context, mod capsule.Module) error {
	c, err := open(ctx, mod, capsule.Config{Heartbeat: time.Second})
	if err != nil {
		return err
	}
	defer end(c)
	own := func(n int) ([]float64, error) {
		out := make([]float64, n)
		for i := range out {
			began := time.Now()
			r, err := c.Command(ctx, capsule.Command{ID: strconv.Itoa(i), Type: capsule.Resume})
			if err != nil || r.Code != capsule.OK {
				return nil, fmt.Errorf("%v: %w", r, err)
			}
			out[i] = ms(time.Since(began))
		}
		return out, nil
	}
	names := []string{"atomics", "postMessage", "comlink"}
	all := map[string][]float64{}
	for round := range *rounds + 1 {
		n := *trips
		if round == 0 {
			n /= 4 // warm
		}
		mine, err := own(n)
		if err != nil {
			return err
		}
		all["inos"] = append(all["inos"], mine...)
		for _, name := range names {
			all[name] = append(all[name], peer("run", name, n)...)
		}
		if round == 0 {
			clear(all)
		}
	}
	for _, name := range append([]string{"inos"}, names...) {
		distribution("command", name, all[name])
	}
	return nil
}

// flood lets n capsules send frames frames each and returns frames per second in
// total and allocations per frame.
func flood(ctx context.Context, mod capsule.Module, n, frames int) (rate, allocs float64, err error) {
	var got, bytes int
	all := make([]*capsule.Capsule, n)
	for i := range all {
		all[i], err = open(ctx, mod, capsule.Config{OnData: func(p []byte) { got++; bytes += len(p) }, Heartbeat: time.Second})
		if err != nil {
			return 0, 0, err
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
	if err := together(10_000); err != nil { // warm
		return 0, 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, bytes = 0, 0
	began := time.Now()
	if err := together(frames); err != nil {
		return 0, 0, err
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if got != n*frames || bytes != 64*got {
		return 0, 0, fmt.Errorf("%d frames of %d, %d bytes", got, n*frames, bytes)
	}
	return float64(got) / took.Seconds(), float64(after.Mallocs-before.Mallocs) / float64(got), nil
}

func events(ctx context.Context, mod capsule.Module) error {
	var one, most, allocs float64
	for range 3 {
		r1, a, err := flood(ctx, mod, 1, *frames)
		if err != nil {
			return err
		}
		rn, _, err := flood(ctx, mod, *many, *frames*2 / *many)
		if err != nil {
			return err
		}
		one, most, allocs = max(one, r1), max(most, rn), a
	}
	print(figure{What: "events", By: "one capsule", Value: one, Unit: "frames/s"})
	print(figure{What: "events", By: "allocations", Value: allocs, Unit: "per frame"})
	print(figure{What: "events", By: strconv.Itoa(*many) + " capsules", Value: most, Unit: "frames/s"})
	return nil
}

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
	var mine, memcpy, set []float64
	for range 12 {
		began := time.Now()
		if _, err := c.Run(ctx, capsule.Task{Method: "nothing", Input: input}, nil); err != nil {
			return err
		}
		mine = append(mine, ms(time.Since(began)))
		began = time.Now()
		copy(other, input)
		memcpy = append(memcpy, ms(time.Since(began)))
		set = append(set, peer("memcpy", 2, *payload)[1])
	}
	distribution("payload", "inos", mine[2:])
	distribution("payload", "memcpy (Go)", memcpy[2:])
	distribution("payload", "memcpy (JS)", set[2:])
	return nil
}

func spawning(ctx context.Context, mod capsule.Module) error {
	var mine, bare []float64
	for i := range *spawns {
		began := time.Now()
		c, err := open(ctx, mod, capsule.Config{})
		if err != nil {
			return err
		}
		took := ms(time.Since(began))
		end(c)
		b := peer("spawn", 1)[0]
		if i >= 3 {
			mine, bare = append(mine, took), append(bare, b)
		}
	}
	distribution("spawn", "inos", mine)
	distribution("spawn", "bare Worker", bare)
	return nil
}
