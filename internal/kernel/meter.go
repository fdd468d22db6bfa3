package kernel

import (
	"sync"
	"time"

	"inos/internal/mesh"
)

// meterEvery is how often a run that says nothing of its progress has its debits
// reported all the same.
const meterEvery = time.Second

// metered debits a run as it goes: every report carries what it has cost so far,
// and one follows every meterEvery. The run's time limit stops it when the budget
// is reached. report may be called until stop, which waits for the last report;
// onProgress may be nil.
func (k *Kernel) metered(started time.Time, budget uint64, onProgress func(mesh.Progress)) (report func(done, total uint64), stop func()) {
	if onProgress == nil {
		return func(done, total uint64) {}, func() {}
	}
	var mu sync.Mutex // reports leave in order
	var last mesh.Progress
	debit := func() {
		last.Cost = max(last.Cost, k.costOf(time.Since(started), budget))
		onProgress(last)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	debit() // the first one says that the run has begun
	go func() {
		defer close(ended)
		tick := time.NewTicker(meterEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				mu.Lock()
				debit()
				mu.Unlock()
			case <-end:
				return
			}
		}
	}()
	report = func(done, total uint64) {
		mu.Lock()
		defer mu.Unlock()
		last.Done, last.Total = done, total
		debit()
	}
	return report, func() {
		close(end)
		<-ended
	}
}
