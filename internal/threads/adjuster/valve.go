package adjuster

import (
	"context"
	"sync"
	"time"
)

// Valve is what the stream into one capsule passes through: open, or shut while
// the capsule is congested. It has no rate of its own. The capsule's rings are the
// measure: whoever passes fills them to the high watermark, waits until the capsule
// has read down to the low one, and so goes at the capsule's own pace. Open, it
// costs a mutex. Safe for concurrent use.
type Valve struct {
	mu     sync.Mutex
	opened chan struct{} // closed when the valve opens; nil while it is open
	since  time.Time     // when it shut
	ended  chan struct{} // closed at the capsule's end
	why    error         // of that
	tally
}

// tally is what a valve did since its adjuster last asked.
type tally struct {
	times uint64
	held  time.Duration
}

func newValve() *Valve { return &Valve{ended: make(chan struct{})} }

// Wait returns when the valve is open: at once, unless the capsule is congested.
// Errors are ctx's cause, or why the capsule ended.
func (v *Valve) Wait(ctx context.Context) error {
	for {
		v.mu.Lock()
		opened, why := v.opened, v.why
		v.mu.Unlock()
		switch {
		case why != nil:
			return why
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case opened == nil:
			return nil
		}
		select {
		case <-opened:
		case <-v.ended:
		case <-ctx.Done():
		}
	}
}

// Open says whether it is.
func (v *Valve) Open() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opened == nil
}

// Ended is closed when the capsule is no more; Err then says why.
func (v *Valve) Ended() <-chan struct{} { return v.ended }

// Err is why the capsule ended, nil before that.
func (v *Valve) Err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.why
}

// set shuts or opens the valve and says whether it was the other way.
func (v *Valve) set(shut bool, now time.Time) (changed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.why != nil || shut == (v.opened != nil):
		return false
	case shut:
		v.opened, v.since = make(chan struct{}), now
		v.times++
	default:
		close(v.opened)
		v.opened = nil
		v.held += now.Sub(v.since)
	}
	return true
}

// end is the capsule's: nobody waits any more. Only the first one counts.
func (v *Valve) end(why error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.why == nil {
		v.why = why
		close(v.ended)
	}
}

// take returns the tally and begins another.
func (v *Valve) take(now time.Time) tally {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.tally
	v.tally = tally{}
	if v.opened != nil {
		t.held += now.Sub(v.since)
		v.since = now
	}
	return t
}
