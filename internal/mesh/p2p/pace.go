package p2p

import "time"

// leastRate is how fast what is long has to come, and to be taken, in bytes a second: within
// each silence allowed so much of it, not on average over the whole.
const leastRate = 32 << 10

// pace is how far a transfer is within the silence that is measured now.
type pace struct {
	on    bool
	bytes int // since then
}

// quota is what has to move within a silence.
func (f *frames) quota() int { return int(float64(leastRate) * f.silence.Seconds()) }

// pace has what is read from now on come at leastRate. The limit of reading is its own.
func (f *frames) pace() {
	f.reading = pace{on: true}
	f.readUntil(time.Now().Add(f.silence))
}

func (f *frames) unpace() {
	f.reading = pace{}
	f.readUntil(time.Time{})
}

// came counts n bytes that were read.
func (f *frames) came(n int) {
	if !f.reading.on {
		return
	}
	if f.reading.bytes += n; f.reading.bytes >= f.quota() {
		f.reading.bytes = 0
		f.extend(time.Now().Add(f.silence))
	}
}

// discount takes n bytes off again that were no use: what a frame is wrapped in.
func (f *frames) discount(n int) { f.reading.bytes -= n }

// writes gives n bytes more, and the rest of what was written since the last flush, their
// time: one who takes too little gets no more.
func (f *frames) writes(n int) error {
	if f.writing.on && f.writing.bytes < f.quota() {
		f.writing.bytes += n
		return nil
	}
	f.writing = pace{on: true, bytes: n}
	return f.s.SetWriteDeadline(time.Now().Add(f.silence))
}
