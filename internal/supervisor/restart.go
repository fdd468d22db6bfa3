package supervisor

import (
	"math/rand/v2"
	"time"

	"inos/internal/capsule"
)

// restarts reports whether policy p starts another instance after one that ended.
func restarts(p capsule.RestartPolicy, crashed bool) bool {
	return p == capsule.Permanent || crashed && p != capsule.Temporary
}

// Intensity is the most restarts within a time before a capsule or group is given up.
type Intensity struct {
	Restarts int           // 0 means DefaultRestarts, below 0 none
	Within   time.Duration // 0 means DefaultWithin
}

// history holds the restarts that still count.
type history struct {
	Intensity
	at []time.Time
}

// allow records a restart at now and reports whether it is within the intensity.
func (h *history) allow(now time.Time) bool {
	kept := h.at[:0]
	for _, t := range h.at {
		if now.Sub(t) < h.Within {
			kept = append(kept, t)
		}
	}
	h.at = append(kept, now)
	return len(h.at) <= h.Restarts
}

// Backoff is the wait before a restart: exponential with full jitter (Brooker,
// "Exponential Backoff And Jitter", 2015).
type Backoff struct {
	Base time.Duration // ceiling of the first wait; 0 means DefaultBackoffBase
	Max  time.Duration // ceiling of all waits; 0 means DefaultBackoffMax
}

// wait returns a random time in [0, min(Max, Base*2^attempt)]; attempt counts from 0.
func (b Backoff) wait(rng *rand.Rand, attempt int) time.Duration {
	ceiling := b.Max
	if attempt < 32 && b.Base<<attempt < b.Max && b.Base<<attempt > 0 {
		ceiling = b.Base << attempt
	}
	return time.Duration(rng.Int64N(int64(ceiling) + 1))
}
