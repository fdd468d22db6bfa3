package placement

import (
	"slices"
	"time"
)

// Durations are the latest times from hand-over to answer of one node, or the latest run times of
// one method.
type Durations struct {
	last [32]time.Duration // a ring
	n    int               // how many there have ever been
}

// enoughDurations is how many are needed for a p95.
const enoughDurations = 8

// Add takes in the newest one.
func (d *Durations) Add(one time.Duration) {
	d.last[d.n%len(d.last)] = one
	d.n++
}

// Longest is the longest of them.
func (d *Durations) Longest() time.Duration { return slices.Max(d.last[:]) }

// P95 is the time within which 95 % of them were over; false while there are too few.
func (d *Durations) P95() (time.Duration, bool) {
	if d.n < enoughDurations {
		return 0, false
	}
	sorted := slices.Clone(d.last[:min(d.n, len(d.last))])
	slices.Sort(sorted)
	return sorted[(len(sorted)*95+99)/100-1], true
}
