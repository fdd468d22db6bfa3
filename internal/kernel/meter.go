package kernel

import (
	"sync"
	"time"

	"inos/internal/mesh"
)

const (
	// meterEvery is how often a run that says nothing of its progress has its debits
	// reported all the same.
	meterEvery = time.Second
	// meterGrain is how often the meter looks at the clock.
	meterGrain = 250 * time.Millisecond
	// stoodStill is the most that is counted between two looks: a node that was stopped, or
	// whose machine slept, has not worked meanwhile.
	stoodStill = time.Second
)

// meter counts how long a node works on one run: from when its capsule's compilation begins
// to when its instance has been killed. It reports what that has cost, and says when the money
// is used up.
type meter struct {
	rate    uint64        // microcredits a second
	most    uint64        // microcredits; 0: without bound
	lasts   time.Duration // what most pays for; 0: without end
	dry     func()        // called once it is used up
	report  func(mesh.Progress)
	working sync.WaitGroup
	end     chan struct{}

	mu      sync.Mutex
	began   time.Time // zero: not yet
	stopped bool
	at      time.Time // counted until then
	counted time.Duration
	said    time.Time // of the last report
	last    mesh.Progress
}

// newMeter is a meter that does not run yet. report may be nil.
func newMeter(rate, most uint64, report func(mesh.Progress), dry func()) *meter {
	if report == nil {
		report = func(mesh.Progress) {}
	}
	return &meter{rate: rate, most: most, lasts: affordable(most, rate), dry: dry, report: report, end: make(chan struct{})}
}

// begin starts the meter: the first report says that the run has begun.
func (m *meter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped || !m.began.IsZero() {
		return
	}
	m.began = time.Now()
	m.at = m.began
	m.debit(m.began)
	first := m.next()
	m.working.Go(func() { m.run(first) })
}

// next is how long it may be until the next look. mu is held.
func (m *meter) next() time.Duration {
	if m.lasts > 0 {
		return min(meterGrain, m.lasts-m.counted)
	}
	return meterGrain
}

// run counts until the meter is stopped.
func (m *meter) run(first time.Duration) {
	next := time.NewTimer(first)
	defer next.Stop()
	for {
		select {
		case <-m.end:
			return
		case <-next.C:
		}
		m.mu.Lock()
		now := time.Now()
		m.count(now)
		if now.Sub(m.said) >= meterEvery {
			m.debit(now)
		}
		wait := m.next()
		m.mu.Unlock()
		if wait <= 0 {
			m.dry()
			return
		}
		next.Reset(wait)
	}
}

// count takes in what went by until now. mu is held.
func (m *meter) count(now time.Time) {
	m.counted += min(max(now.Sub(m.at), 0), stoodStill)
	m.at = now
}

// debit reports what the run has cost. mu is held: reports leave in order.
func (m *meter) debit(now time.Time) {
	m.said = now
	m.last.Cost = max(m.last.Cost, m.cost())
	m.report(m.last)
}

// cost is the rate times what was counted, rounded up: at least 1 microcredit, never more
// than there is. mu is held, or the meter has stopped.
func (m *meter) cost() uint64 {
	cost := runCost(m.rate, m.counted)
	if m.most > 0 {
		cost = min(cost, m.most)
	}
	return cost
}

// progress takes a report of the capsule in.
func (m *meter) progress(done, total uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped || m.began.IsZero() {
		return
	}
	now := time.Now()
	m.count(now)
	m.last.Done, m.last.Total = done, total
	m.debit(now)
}

// stop ends the meter and waits for its last report. It returns when the run began, what was
// counted, and what that costs: nothing when it never began.
func (m *meter) stop() (began time.Time, counted time.Duration, cost uint64) {
	m.mu.Lock()
	if m.stopped = true; m.began.IsZero() {
		m.mu.Unlock()
		return time.Time{}, 0, 0
	}
	m.count(time.Now())
	m.mu.Unlock()
	close(m.end)
	m.working.Wait()
	return m.began, m.counted, m.cost()
}
