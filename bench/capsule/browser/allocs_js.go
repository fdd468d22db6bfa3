package main

import (
	"fmt"
	"runtime"
	"strings"
)

// tally counts the allocations between start and done, by their callers. The profiler records every
// single one meanwhile, so that nothing can be timed.
type tally struct {
	rate   int
	before map[string]int64
}

func (t *tally) start() {
	t.rate, runtime.MemProfileRate = runtime.MemProfileRate, 1
	t.before = byStack()
}

// done returns how many allocations of taking events were made by this project's code, and how many
// Go's runtime made for itself. Neither includes a job's call and its answer, or the decoding of a
// heartbeat.
func (t *tally) done() (ours, runtimes int64) {
	runtime.MemProfileRate = t.rate
	for stack, n := range byStack() {
		n -= t.before[stack]
		if n == 0 {
			continue
		}
		switch {
		case strings.Contains(stack, "runtime.acquireSudog\n"), strings.Contains(stack, "runtime.(*timer"):
			runtimes += n // what a select or a timer takes from the runtime's own caches
		case strings.Contains(stack, "Capsules.Decode\n"), strings.Contains(stack, "main."):
		case strings.Contains(stack, "capsule.(*Capsule).pump\n"), strings.Contains(stack, "capsule/sab.on"):
			ours += n
			fmt.Printf("%d allocations by %s\n", n, strings.ReplaceAll(stack, "\n", " < "))
		case !strings.Contains(stack, "inos/internal/"):
			runtimes += n
		}
	}
	return ours, runtimes
}

// byStack is the number of allocations so far by the names on their stacks, one name a line.
func byStack() map[string]int64 {
	// The profile lags two collections behind.
	for range 3 {
		runtime.GC()
	}
	records := make([]runtime.MemProfileRecord, 1<<14)
	n, ok := runtime.MemProfile(records, true)
	if !ok {
		panic("more allocation sites than expected")
	}
	counts := map[string]int64{}
	for _, r := range records[:n] {
		var stack strings.Builder
		calls := runtime.CallersFrames(r.Stack())
		for more := true; more; {
			var f runtime.Frame
			f, more = calls.Next()
			stack.WriteString(f.Function + "\n")
		}
		counts[stack.String()] += r.AllocObjects
	}
	return counts
}
