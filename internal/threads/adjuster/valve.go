package adjuster

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// chunk is the most bytes that pass a throttled valve in one go.
const chunk = 64 << 10

// Valve is what the stream into one capsule passes through. Open, it costs a
// mutex; throttled, it lets bytes pass at a rate. Safe for concurrent use.
type Valve struct {
	limiter *rate.Limiter

	mu     sync.Mutex
	passed float64   // bytes a second, a moving average
	count  float64   // bytes since mark
	mark   time.Time // when counting began
	base   float64   // bytes a second before the jam; 0 while open
	level  float64   // of base; 1 is open
}

func newValve() *Valve {
	return &Valve{limiter: rate.NewLimiter(rate.Inf, chunk), level: 1}
}

// Wait lets n bytes pass, or returns ctx's error, or one that says that ctx's
// deadline will pass first.
func (v *Valve) Wait(ctx context.Context, n int) error {
	v.measure(n, time.Now())
	for n > 0 {
		step := min(n, chunk)
		if err := v.limiter.WaitN(ctx, step); err != nil {
			return err
		}
		n -= step
	}
	return ctx.Err()
}

// Level is the share of its unhindered rate that the valve lets pass, above 0 to
// 1; Rate is that in bytes a second, +Inf when open.
func (v *Valve) Level() (level, bytesPerSecond float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.level == 1 {
		return 1, math.Inf(1)
	}
	return v.level, v.base * v.level
}

// measure averages what wants to pass over windows of a second.
func (v *Valve) measure(n int, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.mark.IsZero() {
		v.mark = now
	}
	if d := now.Sub(v.mark); d >= time.Second {
		sample := v.count / d.Seconds()
		v.passed += (sample - v.passed) / 2
		v.count, v.mark = 0, now
	}
	v.count += float64(n)
}

// set throttles to level, of the rate measured so far or, without one, of least.
func (v *Valve) set(level, least float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if level >= 1 {
		v.level, v.base = 1, 0
		v.limiter.SetLimit(rate.Inf)
		return
	}
	if v.base == 0 {
		v.base = max(v.passed, v.count, least)
	}
	v.level = level
	v.limiter.SetLimit(rate.Limit(v.base * level))
}
