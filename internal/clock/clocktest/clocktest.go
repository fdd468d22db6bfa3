// Package clocktest makes clocks that are wrong, for tests: they say another time than the
// machine's, and run on by the same monotonic clock, as a machine's clock does that has
// been set wrong. Adding to a time.Time would move both.
package clocktest

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// Wall is a clock that is ahead of the machine's by a whole number of seconds that can be
// changed at any time. The zero value is right. Times of a synctest bubble have no monotonic
// reading, so that a wrong clock cannot be told from a late one there: Now panics in it,
// unless it is right.
type Wall struct{ seconds atomic.Int64 }

// New is a clock that is ahead by d.
func New(d time.Duration) *Wall {
	var w Wall
	w.Set(d)
	return &w
}

// Set makes the clock be ahead by d, rounded to seconds.
func (w *Wall) Set(d time.Duration) { w.seconds.Store(int64(d.Round(time.Second) / time.Second)) }

// Ahead is what Set said.
func (w *Wall) Ahead() time.Duration { return time.Duration(w.seconds.Load()) * time.Second }

// Now is what the clock says, with the machine's monotonic reading.
func (w *Wall) Now() time.Time { return shift(time.Now(), w.seconds.Load()) }

// shift moves the wall clock's seconds within a time.Time and leaves its monotonic
// reading alone: 33 bits of seconds since 1885 above 30 bits of nanoseconds, below a bit
// that says that there is such a reading (see package time). A test holds it.
func shift(t time.Time, seconds int64) time.Time {
	if seconds == 0 {
		return t
	}
	wall := (*uint64)(unsafe.Pointer(&t))
	if *wall>>63 == 0 {
		panic("clocktest: a time without a monotonic reading")
	}
	*wall += uint64(seconds << 30)
	return t
}
