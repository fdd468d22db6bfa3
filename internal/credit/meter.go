package credit

import (
	"math/bits"
	"time"
)

// Meter computes what a running job costs. The zero Meter costs nothing and is never dry.
type Meter struct {
	Rate uint64 // microcredits per second of capsule time
	Max  uint64 // microcredits held for the job; 0 with a Rate means nothing is left
}

// Cost returns the cost of running for ran, rounded up, never above Max.
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

// Lasts returns how long Max pays for, the longest duration when Rate is 0.
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

// Tolerances of a payer: clocks that differ by a 64th, and the rounding of both sides' timers.
const (
	slackPart = 64
	slackTime = 50 * time.Millisecond
)

// Bound returns the most, in microcredits, that a run may have cost when its payer waited took
// for it, at price microcredits a second. A price of 0 counts as 1, as in scoring.
func Bound(price uint64, took time.Duration) uint64 {
	took = max(took, 0)
	return Meter{Rate: max(price, 1), Max: maxAmount}.Cost(took + took/slackPart + slackTime)
}
