package adjuster

import "time"

// Fidelity says how often the host's sensors are read.
type Fidelity uint8

// The levels of fidelity.
const (
	Minimal Fidelity = iota // the battery is low, or nobody looks
	Reduced                 // a capsule is congested
	Full
)

func (f Fidelity) String() string { return [...]string{"minimal", "reduced", "full"}[min(f, Full)] }

// Every returns the time between two readings of a sensor.
func (f Fidelity) Every() time.Duration {
	return [...]time.Duration{5 * time.Second, time.Second, 100 * time.Millisecond}[min(f, Full)]
}

// wanted returns the fidelity that the host and the capsules allow now.
func wanted(h Host, congested int) Fidelity {
	switch {
	case h.BatteryLow || !h.Visible:
		return Minimal
	case congested > 0:
		return Reduced
	}
	return Full
}

// settle lowers the fidelity at once. It raises the fidelity only after the better level has been
// wanted for hold without a break.
type settle struct {
	level Fidelity
	since time.Time // when a better level was first wanted; zero: it is not
}

// next reports whether the level changed, and when to call it again (zero: no need).
func (s *settle) next(want Fidelity, now time.Time, hold time.Duration) (changed bool, again time.Time) {
	switch {
	case want < s.level:
		s.level, s.since = want, time.Time{}
		return true, time.Time{}
	case want == s.level:
		s.since = time.Time{}
		return false, time.Time{}
	case s.since.IsZero():
		s.since = now
	}
	if due := s.since.Add(hold); now.Before(due) {
		return false, due
	}
	s.level, s.since = want, time.Time{}
	return true, time.Time{}
}
