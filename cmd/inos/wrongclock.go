//go:build wrongclock

package main

import (
	"os"
	"time"

	"inos/internal/clock/clocktest"
)

// A program with this file has a clock that is ahead by what the environment variable
// INOS_CLOCK_AHEAD says ("-100s"), for tests of machines whose clocks are wrong.
func init() {
	if ahead, err := time.ParseDuration(os.Getenv("INOS_CLOCK_AHEAD")); err == nil { // a process that compiles has no environment
		wallClock = clocktest.New(ahead).Now
	}
}
