package clock

import "time"

// Offset is how far another machine's clock is ahead of this one's, as measured over a
// connection to it.
type Offset struct {
	Ahead time.Duration
	RTT   time.Duration // of the exchange that said so: Ahead is wrong by half of it at most
	At    time.Time     // when it was measured; zero: never
}

// renewAfter is for how long the best measurement stands against worse ones: two good
// crystals drift apart by some 6 ms meanwhile.
const renewAfter = time.Minute

// Exchange is one question and its answer (as in NTP, RFC 5905): asked and heard by the
// own clock, with their monotonic readings, answered by the other machine's. The way there
// is taken to be as long as the way back.
func Exchange(asked, heard, answered time.Time) Offset {
	rtt := max(heard.Sub(asked), 0)
	return Offset{Ahead: answered.Round(0).Sub(heard.Round(0).Add(-rtt / 2)), RTT: rtt, At: heard}
}

// AheadAt is Ahead by what this machine's clock says now, which may have been set since.
func (o Offset) AheadAt(now time.Time) time.Duration {
	if !o.Known() {
		return 0
	}
	return o.Ahead - (now.Round(0).Sub(o.At.Round(0)) - now.Sub(o.At))
}

// Known reports whether o has been measured.
func (o Offset) Known() bool { return !o.At.IsZero() }

// With is what o and a newer measurement say together: the one with the shortest round
// trip, since what is added to it on the way is added on one side. The newer one counts
// when the other is old, or when the two cannot both be true: a clock has been set.
func (o Offset) With(newer Offset) Offset {
	apart := newer.Ahead - o.AheadAt(newer.At)
	if !o.Known() || newer.RTT <= o.RTT || newer.At.Sub(o.At) >= renewAfter || max(apart, -apart) > (o.RTT+newer.RTT)/2+leeway {
		return newer
	}
	return o
}

// leeway is what two measurements may differ by besides, for clocks that tick in
// milliseconds.
const leeway = 5 * time.Millisecond
