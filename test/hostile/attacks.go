//go:build unix

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"inos/internal/capsule/hostile"
)

// Bounds that hold for every attack on the process.
const (
	slowestPing = 200 * time.Millisecond
	goneWithin  = 100 * time.Millisecond
)

func attacks(browsers string) []attack {
	onProcess := fmt.Sprintf("pings below %v, gone %v after its deadline", slowestPing, goneWithin)
	all := slices.Concat([]nativeAttack{
		{"calls itself twice, 62 deep", onProcess, runsOn("doubling")},
		{"rows of memory.fill", onProcess, runsOn("fills")},
		{"rows of memory.copy", onProcess, runsOn("copies")},
		{"an endless loop", onProcess, runsOn("silence")},
		{"80 million locals", "refused, below 64 MiB more", refusedAtOnce(hostile.Module(hostile.Locals(80_000_000)))},
		{"270 million locals", "refused, below 64 MiB more", refusedAtOnce(hostile.Module(hostile.Locals(270_000_000)))},
		{"8 capsules of 1 GiB that are never ready", "below --memory and 256 MiB", grabs},
		{"half a minute to compile", "15 s, below 1.5 GiB, pings below 200ms", compilesLong},
	}, onPay(), byHearsay(), onScarce())
	var rows []attack
	for _, a := range all {
		rows = append(rows, attack{a.name, a.bound, onNode(a.run)})
	}
	for name := range strings.FieldsFuncSeq(browsers, func(r rune) bool { return r == ',' }) {
		rows = append(rows, inBrowsers(name)...)
	}
	return rows
}

// nativeAttack is an attack on a native node.
type nativeAttack struct {
	name, bound string
	run         func(context.Context, *arena) (measured string, held bool, err error)
}

// runsOn is a job whose capsule does not end.
func runsOn(name string) func(context.Context, *arena) (string, bool, error) {
	return func(ctx context.Context, a *arena) (string, bool, error) {
		const limit = 3 * time.Second
		if said, err := a.job(ctx, a.hostile(name), "--timeout", limit.String()); err == nil {
			return said, false, fmt.Errorf("the job succeeded")
		}
		pause(ctx, goneWithin)
		before := a.processor()
		pause(ctx, time.Second)
		after := a.processor() - before
		slowest, lost := a.pinged()
		if lost != nil {
			return "", false, lost
		}
		measured := fmt.Sprintf("slowest ping %v, %v of processor in the second after", slowest.Round(time.Millisecond), after)
		// A capsule that runs on takes a whole second of a processor.
		return measured, slowest < slowestPing && after < 500*time.Millisecond, a.honest(ctx)
	}
}

// refusedAtOnce is a module that is refused before it is compiled.
func refusedAtOnce(wasm []byte) func(context.Context, *arena) (string, bool, error) {
	return func(ctx context.Context, a *arena) (string, bool, error) {
		path, err := a.file("module", wasm)
		if err != nil {
			return "", false, err
		}
		before := a.mostMemory()
		began := time.Now()
		said, err := a.job(ctx, path, "--timeout", "30s")
		took := time.Since(began)
		if err == nil {
			return said, false, fmt.Errorf("the job succeeded")
		}
		more := a.mostMemory() - before
		measured := fmt.Sprintf("%d MiB more, after %v: %s", more>>20, took.Round(time.Millisecond), tail(said))
		return measured, more < 64<<20, a.honest(ctx)
	}
}

// compilesLong is a module that cannot be compiled in time.
func compilesLong(ctx context.Context, a *arena) (string, bool, error) {
	path, err := a.file("module", hostile.SlowToCompile())
	if err != nil {
		return "", false, err
	}
	began := time.Now()
	said, err := a.job(ctx, path, "--timeout", "60s")
	took := time.Since(began)
	if err == nil {
		return said, false, fmt.Errorf("the job succeeded")
	}
	slowest, lost := a.pinged()
	if lost != nil {
		return "", false, lost
	}
	most := a.mostMemory()
	measured := fmt.Sprintf("%v, %d MiB, slowest ping %v: %s", took.Round(100*time.Millisecond), most>>20, slowest.Round(time.Millisecond), tail(said))
	return measured, took < 20*time.Second && most < 3<<29 && slowest < slowestPing, a.honest(ctx)
}

// memoryOf is the node's memory for the attack by hoarding, in MiB.
const memoryOf = 2048

// grabs is eight jobs at once whose capsules take all the memory they can get and never report that
// they are ready.
func grabs(ctx context.Context, a *arena) (string, bool, error) {
	before := a.mostMemory()
	ended := make(chan error, 8)
	for range cap(ended) {
		go func() {
			_, err := a.job(ctx, a.hostile("hoards"), "--timeout", "10s")
			ended <- err
		}()
	}
	for range cap(ended) {
		if err := <-ended; err == nil {
			return "", false, fmt.Errorf("a job succeeded")
		}
	}
	slowest, lost := a.pinged()
	if lost != nil {
		return "", false, lost
	}
	more := (a.mostMemory() - before) >> 20
	measured := fmt.Sprintf("%d MiB more of %d, slowest ping %v", more, memoryOf, slowest.Round(time.Millisecond))
	return measured, more < memoryOf+256, a.honest(ctx)
}
