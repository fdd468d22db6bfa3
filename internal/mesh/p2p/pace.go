package p2p

import (
	"sync"
	"time"

	"github.com/multiformats/go-varint"
)

const (
	// leastRate is the least speed of long transfers, in bytes a second: each silence allowed must
	// bring its share, not the average of the whole transfer.
	leastRate = 32 << 10
	// slowRate is the least speed of the few transfers that may be slow: what a path that loses
	// every fifth packet leaves to each of a hundred streams.
	slowRate = 64
	// slowInAll is the most slow transfers. A network may have as many as are free.
	slowInAll = 128
)

// pace is how far a transfer is within the silence that is measured now.
type pace struct {
	on    bool
	bytes int       // since then
	until time.Time // of reading: its end
}

// within is what has to move within a silence at a rate.
func (f *frames) within(rate int) int { return int(float64(rate) * f.silence.Seconds()) }

// pace has what is read from now on come at leastRate. The limit of reading is its own.
func (f *frames) pace() {
	f.reading = pace{on: true, until: time.Now().Add(f.silence)}
	f.readUntil(f.reading.until)
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
	if f.reading.bytes += n; f.reading.bytes >= f.within(leastRate) {
		f.reading.bytes = 0
		f.extend(time.Now())
	}
}

// discount subtracts the part of the last frame that carried no content: n bytes of wrapping, and
// its length prefix.
func (f *frames) discount(n int) { f.reading.bytes -= n + varint.UvarintSize(uint64(len(f.in))) }

// source is the stream as frames are read from it.
type source struct{ f *frames }

// Read goes on after a silence in which something came, though less than leastRate's share,
// if there is a place among the slow.
func (r source) Read(p []byte) (int, error) {
	for {
		n, err := r.f.s.Read(p)
		r.f.came(n)
		if n > 0 || !isTimeout(err) || !r.f.comesSlowly() {
			return n, err
		}
	}
}

// comesSlowly reports whether the reading whose silence is over may go on.
func (f *frames) comesSlowly() bool {
	if !f.reading.on || f.reading.bytes < f.within(slowRate) || !f.slow.take() {
		return false
	}
	f.reading.bytes = 0
	return f.extend(f.reading.until)
}

// writes gives n bytes more, and the rest of what was written since the last flush, their
// time: one who takes too little gets no more.
func (f *frames) writes(n int) error {
	if f.writing.on && f.writing.bytes < f.within(leastRate) {
		f.writing.bytes += n
		return nil
	}
	f.writing, f.taken = pace{on: true, bytes: n}, 0
	return f.s.SetWriteDeadline(time.Now().Add(f.silence))
}

// sink is the stream as frames are written to it.
type sink struct{ f *frames }

// Write goes on as source's Read does.
func (w sink) Write(p []byte) (n int, err error) {
	f := w.f
	for {
		k, err := f.s.Write(p[n:])
		n += k
		f.taken += k
		if err == nil || !isTimeout(err) || !f.writing.on || f.taken < f.within(slowRate) || !f.slow.take() {
			return n, err
		}
		f.taken = 0
		if err := f.s.SetWriteDeadline(time.Now().Add(f.silence)); err != nil {
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
	}
}

// slowPlace is a stream's place among the slow ones. A nil one is none.
type slowPlace struct {
	of  *streamLimiter
	net string

	mu  sync.Mutex
	has bool
}

// take reports whether the stream has a place, or gets one.
func (p *slowPlace) take() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.has = p.has || p.of.slower(p.net)
	return p.has
}

// leave gives it back.
func (p *slowPlace) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.has {
		p.has = false
		p.of.noSlower(p.net)
	}
}
