package adjuster

import (
	"context"
	"sync"
	"time"
)

// Valve controls the stream into one capsule: it is open, or shut while the capsule is congested.
// It has no rate of its own; the capsule's rings set the pace. A sender fills them to the high
// watermark, waits until the capsule has read down to the low one, and so goes at the capsule's own
// pace. An open valve costs a mutex. Safe for concurrent use.
type Valve struct {
	mu     sync.Mutex
	opened chan struct{} // closed when the valve opens; nil while it is open
	since  time.Time     // when it shut
	ended  chan struct{} // closed at the capsule's end
	why    error         // the reason of that end
	tally
}

// tally is a valve's activity since its adjuster last asked.
type tally struct {
	times uint64
	held  time.Duration
}

func newValve() *Valve { return &Valve{ended: make(chan struct{})} }

// Wait blocks while the valve is shut. Errors are ctx's cause, or the reason of the capsule's end.
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

// Open reports whether the valve is open.
func (v *Valve) Open() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opened == nil
}

// Ended is closed when the capsule has ended; Err then returns why.
func (v *Valve) Ended() <-chan struct{} { return v.ended }

// Err returns why the capsule ended, nil before that.
func (v *Valve) Err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.why
}

// set shuts or opens the valve and reports whether that changed it.
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

// end marks the capsule's end, which ends all waits. Only the first end counts.
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
