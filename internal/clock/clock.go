// Package clock is about the clocks of other machines, which differ from this one's by
// minutes or days, and about this machine's own, which may be set while the program runs.
//
// Within a node a time.Time is compared by its monotonic reading, which nobody sets. Two
// things have none: a time that came from another node or from the disk, and a number.
// Here makes the first a time of this node, and a Line makes numbers that no change of
// the clock moves. The package reads no clock itself: callers pass the time.
package clock

import (
	"fmt"
	"slices"
	"time"
)

// Tolerance is how far two clocks may differ without anybody taking notice: what is beyond
// it is told to the owner, and nothing that is judged by two clocks is judged more finely.
const Tolerance = time.Minute

// Here tells t, of a clock that is ahead of this node's, in this node's: a time so long
// before or after now, which runs on by the monotonic clock that now has. The zero time
// stays zero.
func Here(t time.Time, ahead time.Duration, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Add(t.Sub(now.Round(0).Add(ahead)))
}

// Told is t as this node's clock tells it now, for others: the clock may have been set
// since t was made. The zero time stays zero.
func Told(t, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Round(0).Add(t.Sub(now))
}

// Line numbers times by the monotonic clock: Unix nanoseconds of the first time that it
// was asked of, and of all others so much more or less as went by, whatever the machine's
// clock has been set to meanwhile. Times without a monotonic reading count as they are.
// The zero value works; it is not safe for concurrent use.
type Line struct {
	from  time.Time
	nanos int64
}

// Nanos is the number of t.
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

// Time is the time of a number, with a monotonic reading if the line has one.
func (l *Line) Time(nanos int64) time.Time {
	if l.from.IsZero() {
		return time.Unix(0, nanos)
	}
	return l.from.Add(time.Duration(nanos - l.nanos))
}

// UnixNano is t.UnixNano without its overflow: times past the year 2262 count as the last
// one that fits.
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

// Words says how far ahead of another one a clock is, as people say it: "40s ahead of
// this node's", "2h0m0s behind this node's".
func Words(ahead time.Duration, than string) string {
	if ahead = ahead.Round(time.Second); ahead < 0 {
		return fmt.Sprintf("%v behind %s", -ahead, than)
	}
	return fmt.Sprintf("%v ahead of %s", ahead, than)
}

// Median is the middle one of how far clocks are ahead, the lower of two; 0 of none. It
// sorts them.
func Median(ahead []time.Duration) time.Duration {
	if len(ahead) == 0 {
		return 0
	}
	slices.Sort(ahead)
	return ahead[(len(ahead)-1)/2]
}
