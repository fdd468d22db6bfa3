//go:build wrongclock

package main

import (
	"os"
	"time"

	"inos/internal/clock/clocktest"
)

// A program with this file has a clock that is ahead by the environment variable INOS_CLOCK_AHEAD
// ("-100s"), for tests of machines with wrong clocks.
func init() {
	if ahead, err := time.ParseDuration(os.Getenv("INOS_CLOCK_AHEAD")); err == nil { // a process that compiles has no environment
		wallClock = clocktest.New(ahead).Now
	}
}
