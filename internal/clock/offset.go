package clock

import "time"

// Offset is how far another machine's clock is ahead of this one's, measured over a connection
// to it.
type Offset struct {
	Ahead time.Duration
	RTT   time.Duration // of the measuring exchange: Ahead is wrong by at most half of it
	At    time.Time     // when it was measured; zero: never
}

// renewAfter is how long the best measurement is preferred to newer, worse ones. Two good
// crystals drift apart by some 6 ms in that time.
const renewAfter = time.Minute

// Exchange returns the offset from one question and its answer (as in NTP, RFC 5905). asked and
// heard are times of this machine's clock, with monotonic readings; answered is of the other's.
// Both directions are assumed to take equally long.
func Exchange(asked, heard, answered time.Time) Offset {
	rtt := max(heard.Sub(asked), 0)
	return Offset{Ahead: answered.Round(0).Sub(heard.Round(0).Add(-rtt / 2)), RTT: rtt, At: heard}
}

// AheadAt returns Ahead relative to this machine's clock at now, which may have been set since.
func (o Offset) AheadAt(now time.Time) time.Duration {
	if !o.Known() {
		return 0
	}
	return o.Ahead - (now.Round(0).Sub(o.At.Round(0)) - now.Sub(o.At))
}

// Known reports whether o has been measured.
func (o Offset) Known() bool { return !o.At.IsZero() }

// With combines o and a newer measurement. It prefers the one with the shorter round trip, since
// extra time on the way falls on one side. It takes the newer one when o is old, or when both
// cannot be true because a clock has been set.
func (o Offset) With(newer Offset) Offset {
	apart := newer.Ahead - o.AheadAt(newer.At)
	if !o.Known() || newer.RTT <= o.RTT || newer.At.Sub(o.At) >= renewAfter || max(apart, -apart) > (o.RTT+newer.RTT)/2+leeway {
		return newer
	}
	return o
}

// leeway is the further difference allowed between two measurements, for clocks that tick in
// milliseconds.
const leeway = 5 * time.Millisecond
