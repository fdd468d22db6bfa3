package lifecycle

import (
	"math"
	"sync"
	"time"

	"inos/internal/credit"
	"inos/internal/mesh"
)

const (
	// reportEvery is how often a run that says nothing of its progress has its cost
	// reported all the same.
	reportEvery = time.Second
	// sampleEvery is how often a Meter reads the clock.
	sampleEvery = 250 * time.Millisecond
	// maxGap is the most that is counted between two readings: a node that was stopped, or
	// whose machine slept, has not worked meanwhile.
	maxGap = time.Second
)

// Meter counts how long a node works on one run: from when its capsule's compilation begins
// to when its instance has been killed. It reports what that has cost, and says when the money
// is used up. Its methods are safe for concurrent use.
type Meter struct {
	price   credit.Meter
	dry     func() // called once it is used up
	report  func(mesh.Progress)
	working sync.WaitGroup
	end     chan struct{}

	mu       sync.Mutex
	began    time.Time // zero: not yet
	stopped  bool
	at       time.Time // counted until then
	counted  time.Duration
	reported time.Time
	last     mesh.Progress // that was reported
}

// NewMeter is a Meter that does not run yet, of a run that costs rate microcredits a second and
// at most most, 0 being without bound. report may be nil; it and dry must not block.
func NewMeter(rate, most uint64, report func(mesh.Progress), dry func()) *Meter {
	if report == nil {
		report = func(mesh.Progress) {}
	}
	if most == 0 {
		most = math.MaxUint64
	}
	return &Meter{price: credit.Meter{Rate: rate, Max: most}, dry: dry, report: report, end: make(chan struct{})}
}

// Begin starts the Meter: the first report says that the run has begun.
func (m *Meter) Begin() {
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

// next is how long it may be until the next reading of the clock. mu is held.
func (m *Meter) next() time.Duration { return min(sampleEvery, m.price.Lasts()-m.counted) }

// run counts until the Meter is stopped.
func (m *Meter) run(first time.Duration) {
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
		if now.Sub(m.reported) >= reportEvery {
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
func (m *Meter) count(now time.Time) {
	m.counted += min(max(now.Sub(m.at), 0), maxGap)
	m.at = now
}

// debit reports what the run has cost. mu is held: reports leave in order.
func (m *Meter) debit(now time.Time) {
	m.reported = now
	m.last.Cost = max(m.last.Cost, m.cost())
	m.report(m.last)
}

// cost is at least 1 microcredit. mu is held, or the Meter has stopped.
func (m *Meter) cost() uint64 { return max(m.price.Cost(m.counted), 1) }

// Progress takes a report of the capsule in.
func (m *Meter) Progress(done, total uint64) {
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

// Stop ends the Meter and waits for its last report. It returns when the run began, what was
// counted, and what that costs: nothing when it never began.
func (m *Meter) Stop() (began time.Time, counted time.Duration, cost uint64) {
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
