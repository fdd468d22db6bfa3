package credit

import (
	"math/bits"
	"time"
)

// Meter counts what a running job costs. The zero Meter costs nothing and never
// runs dry.
type Meter struct {
	Rate uint64 // microcredits per second of capsule time
	Max  uint64 // microcredits held for the job; 0 with a Rate means nothing is left
}

// Cost is what ran costs so far, rounded up, never above Max.
func (m Meter) Cost(ran time.Duration) uint64 {
	if ran <= 0 || m.Rate == 0 {
		return 0
	}
	hi, lo := bits.Mul64(m.Rate, uint64(ran))
	if hi >= uint64(time.Second) { // more than 2^64 microcredits
		return m.Max
	}
	cost, rest := bits.Div64(hi, lo, uint64(time.Second))
	if rest > 0 && cost < 1<<64-1 {
		cost++
	}
	return min(cost, m.Max)
}

// Dry reports whether the money is used up after ran: the capsule has to stop.
func (m Meter) Dry(ran time.Duration) bool { return m.Rate > 0 && m.Cost(ran) >= m.Max }

// Lasts is how long Max pays for, the longest duration when there is no Rate.
func (m Meter) Lasts() time.Duration {
	const forever = time.Duration(1<<63 - 1)
	if m.Rate == 0 {
		return forever
	}
	hi, lo := bits.Mul64(m.Max, uint64(time.Second))
	if hi >= m.Rate {
		return forever
	}
	q, _ := bits.Div64(hi, lo, m.Rate)
	return time.Duration(min(q, uint64(forever)))
}

// What a payer forgives of a bill: clocks that run apart by a 64th, and what both sides'
// timers round.
const (
	slackPart = 64
	slackTime = 50 * time.Millisecond
)

// Bound is the most, in microcredits, that a run may have cost which its payer waited
// took for, at price microcredits a second; 0 counts as 1, as it does when nodes are
// scored.
func Bound(price uint64, took time.Duration) uint64 {
	took = max(took, 0)
	return Meter{Rate: max(price, 1), Max: maxAmount}.Cost(took + took/slackPart + slackTime)
}
