// Package clock handles the clocks of other machines, which differ from this one's by minutes or
// days, and this machine's own, which may be set while the program runs.
//
// Within a node time.Time values are compared by their monotonic readings, which do not change
// when the clock is set. A time from another node or from the disk has none, and neither has a
// number. Here converts such a time to one of this node. A Line makes numbers that setting the
// clock does not move. The package reads no clock itself: callers pass the time.
package clock

import (
	"fmt"
	"slices"
	"time"
)

// Tolerance is how far two clocks may differ without a report. A larger difference is reported
// to the owner. No decision that compares two clocks is finer than this.
const Tolerance = time.Minute

// Here converts t, by a clock that is ahead of this node's, to this node's clock. The result has
// the monotonic reading of now, shifted by the time between them. The zero time stays zero.
func Here(t time.Time, ahead time.Duration, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Add(t.Sub(now.Round(0).Add(ahead)))
}

// Told converts t to what this node's clock now shows for it, to be sent to others: the clock
// may have been set since t was made. The zero time stays zero.
func Told(t, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Round(0).Add(t.Sub(now))
}

// Line numbers times by the monotonic clock. The first time gets its Unix nanoseconds. Every
// other gets that number plus the monotonic difference, whatever the machine's clock has been
// set to meanwhile. Times without a monotonic reading get their own Unix nanoseconds. The zero
// value works. Not safe for concurrent use.
type Line struct {
	from  time.Time
	nanos int64
}

// Nanos returns the number of t.
func (l *Line) Nanos(t time.Time) int64 {
	if l.from.IsZero() {
		l.from, l.nanos = t, UnixNano(t)
	}
	d := int64(t.Sub(l.from))
	sum := l.nanos + d
	switch {
	case d > 0 && sum < l.nanos:
		return 1<<63 - 1
	case d < 0 && sum > l.nanos:
		return -1 << 63
	}
	return sum
}

// Time returns the time of a number, with a monotonic reading if the line has one.
func (l *Line) Time(nanos int64) time.Time {
	if l.from.IsZero() {
		return time.Unix(0, nanos)
	}
	return l.from.Add(time.Duration(nanos - l.nanos))
}

// UnixNano is t.UnixNano without its overflow: times past the year 2262 get the largest number.
func UnixNano(t time.Time) int64 {
	const lastSecond = (1<<63 - 1) / int64(time.Second)
	switch s := t.Unix(); {
	case s >= lastSecond:
		return 1<<63 - 1
	case s <= -lastSecond:
		return -1 << 63
	}
	return t.UnixNano()
}

// Words returns how far ahead of another clock a clock is, as text: "40s ahead of this node's",
// "2h0m0s behind this node's".
func Words(ahead time.Duration, than string) string {
	if ahead = ahead.Round(time.Second); ahead < 0 {
		return fmt.Sprintf("%v behind %s", -ahead, than)
	}
	return fmt.Sprintf("%v ahead of %s", ahead, than)
}

// Median returns the median of how far clocks are ahead, the lower one of two middle values; 0
// for none. It sorts its argument.
func Median(ahead []time.Duration) time.Duration {
	if len(ahead) == 0 {
		return 0
	}
	slices.Sort(ahead)
	return ahead[(len(ahead)-1)/2]
}
