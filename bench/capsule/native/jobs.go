package main

import (
	"context"
	"slices"
	"time"

	"inos/bench/capsule/jobs"
	"inos/internal/capsule"
)

// measureJobs prints the figures of a supervisor with jobs of 64 bytes: one after the other, and
// eight at a time.
func measureJobs(ctx context.Context, rt capsule.Runtime, wasm []byte) error {
	for _, atOnce := range []int{1, jobs.AtOnce} {
		f, err := jobs.Measure(ctx, rt, wasm, atOnce, time.Second)
		if err != nil {
			return err
		}
		slices.Sort(f.Times)
		emit(map[string]any{"What": f.Name, "By": "native", "P50": f.Times[len(f.Times)/2], "P99": f.Times[len(f.Times)*99/100],
			"Value": f.Rate, "Unit": "jobs/s"})
	}
	return nil
}
