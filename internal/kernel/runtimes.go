package kernel

import (
	"time"

	"inos/internal/kernel/placement"
)

const (
	// startRun is the run time that money is set aside for while too few runs of a method are
	// recorded.
	startRun = time.Minute
	// The next run gets runMargin times the 95th percentile of the last ones, and leastRun at the
	// least.
	runMargin = 4
	leastRun  = 10 * time.Second
	// methodsAtMost bounds the recorded methods. Past it an arbitrary one is forgotten.
	methodsAtMost = 1024
)

// method is the key that run times are recorded by.
type method struct{ capsule, name string }

// runTimes are the last run times of each method, on whatever node. A longer history would be less
// accurate: a method's run time changes with its inputs.
type runTimes map[method]*placement.Durations

func (r runTimes) add(m method, d time.Duration) {
	t := r[m]
	if t == nil {
		if len(r) >= methodsAtMost {
			for any := range r {
				delete(r, any)
				break
			}
		}
		t = &placement.Durations{}
		r[m] = t
	}
	t.Add(max(d, 0))
}

// usual is how long a run of m takes, with a margin that few runs exceed, and limit at most, which
// is more than 0.
func (r runTimes) usual(m method, limit time.Duration) time.Duration {
	d := startRun
	if t := r[m]; t != nil {
		if p95, enough := t.P95(); enough {
			d = runMargin * min(p95, limit)
		} else {
			d = max(d, runMargin*min(t.Longest(), limit))
		}
	}
	return min(max(d, leastRun), limit)
}
