package kernel

import (
	"fmt"
	"time"

	"inos/internal/clock"
	"inos/internal/mesh"
)

// Clocks compares this machine's clock with those of the connected peers.
type Clocks struct {
	// Ahead is how far this clock is ahead of the peers' median; negative: behind.
	Ahead time.Duration
	// Peers counts the peers whose clocks are known. Apart counts those of them from which this
	// clock differs by more than clock.Tolerance, in the same direction as Ahead.
	Peers, Apart int
}

// Wrong reports whether this clock differs from the median by more than clock.Tolerance: then it is
// more likely to be wrong than half of the others.
func (c Clocks) Wrong() bool { return c.Ahead.Abs() > clock.Tolerance }

// String is text for people: "this machine's clock is 40s ahead of 3 of 3 peers".
func (c Clocks) String() string {
	return "this machine's clock is " + clock.Words(c.Ahead, fmt.Sprintf("%d of %d peers", c.Apart, c.Peers))
}

// compareClocks compares this machine's clock, which says now, with the peers'.
func compareClocks(peers []mesh.Peer, now time.Time) (c Clocks) {
	var all []time.Duration
	for _, p := range peers {
		if p.Clock.Known() {
			all = append(all, p.Clock.AheadAt(now))
		}
	}
	c.Peers, c.Ahead = len(all), -clock.Median(all)
	for _, theirs := range all {
		if c.Ahead > 0 && -theirs > clock.Tolerance || c.Ahead < 0 && theirs > clock.Tolerance {
			c.Apart++
		}
	}
	return c
}

// Clocks compares this machine's clock with those of the connected peers.
func (k *Kernel) Clocks() Clocks {
	m, err := k.Mesh()
	if err != nil {
		return Clocks{}
	}
	return compareClocks(m.Peers(), k.cfg.Now())
}

// watchClocks emits an event when this machine's clock turns out to be wrong, when its error
// changes by another minute, and when it is right again. The pinger calls it after each round.
func (k *Kernel) watchClocks(told Clocks) Clocks {
	c := k.Clocks()
	if c.Wrong() == told.Wrong() && (!c.Wrong() || (c.Ahead-told.Ahead).Abs() <= clock.Tolerance) {
		return told
	}
	k.emit(ClockOffset{at(), c})
	return c
}
