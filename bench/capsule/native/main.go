// Command native measures capsules under wazero: spawn to first heartbeat, the
// round trip of a command, events, and small jobs.
//
//	go run ./bench/capsule/native build/capsules/flood.wasm
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"inos/internal/capsule"
	"inos/internal/capsule/wazero"
	"inos/internal/wire"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "native:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	wasm, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	rt, err := wazero.New(wazero.Config{})
	if err != nil {
		return err
	}
	defer rt.Close()
	mod, err := rt.Compile(ctx, wasm)
	if err != nil {
		return err
	}
	got := 0
	open := func() (*capsule.Capsule, error) {
		return capsule.Open(ctx, mod, capsule.Config{ID: "c1", Codec: wire.Capsules{}, OnData: func([]byte) { got++ }})
	}
	var spawn, trip []float64
	for range 200 {
		began := time.Now()
		c, err := open()
		if err != nil {
			return err
		}
		spawn = append(spawn, float64(time.Since(began))/1e6)
		c.Kill(errors.New("done"))
		<-c.Done()
	}
	c, err := open()
	if err != nil {
		return err
	}
	for range 5000 {
		began := time.Now()
		if r, err := c.Command(ctx, capsule.Command{Type: capsule.Resume}); err != nil || r.Code != capsule.OK {
			return fmt.Errorf("%v: %w", r, err)
		}
		trip = append(trip, float64(time.Since(began))/1e6)
	}
	const frames = 2_000_000
	began := time.Now()
	if _, err := c.Run(ctx, capsule.Task{Method: "flood", Args: []string{fmt.Sprint(frames), "64"}}, nil); err != nil {
		return err
	}
	rate := frames / time.Since(began).Seconds()
	if got != frames {
		return fmt.Errorf("%d frames of %d", got, frames)
	}
	for _, f := range []struct {
		what  string
		times []float64
	}{{"spawn", spawn}, {"command", trip}} {
		slices.Sort(f.times)
		emit(map[string]any{"What": f.what, "By": "native", "P50": f.times[len(f.times)/2], "P99": f.times[len(f.times)*99/100]})
	}
	emit(map[string]any{"What": "events", "By": "native", "Value": rate, "Unit": "frames/s"})
	return measureJobs(ctx, rt, wasm)
}

func emit(v any) {
	b, _ := json.Marshal(v)
	fmt.Println("RESULT", string(b))
}
