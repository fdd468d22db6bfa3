package governance

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"inos/internal/identity"
)

// quota counts the jobs that each ledger sends and has running. Only jobs of a ledger that has
// proved that it pays are counted, so nobody can use up another's share.
type quota struct {
	mu      sync.Mutex
	max     int
	ledgers map[identity.LedgerID]*share
}

type share struct {
	limit   Rate
	bucket  *rate.Limiter
	running map[uint64]time.Time // serial of the admission -> time after which it no longer counts
	used    time.Time
}

// overdue is how long past its deadline a job counts as running when nobody calls Done for it.
const overdue = time.Minute

func (q *quota) init(max int) {
	q.max, q.ledgers = max, make(map[identity.LedgerID]*share)
}

// knows reports whether l has been admitted before, so that its key is known to be valid.
func (q *quota) knows(l identity.LedgerID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ledgers[l] != nil
}

// take counts one admission, or returns the rejection.
func (q *quota) take(r *ruleset, l identity.LedgerID, serial uint64, deadline, now time.Time) *Rejection {
	limit, most := r.policy.Rate, r.policy.Concurrency
	if o, ok := r.ledgers[l]; ok {
		if o.Rate != (Rate{}) {
			limit = o.Rate
		}
		if o.Concurrency > 0 {
			most = o.Concurrency
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.ledgers[l]
	if s == nil {
		if len(q.ledgers) >= q.max {
			q.forget()
		}
		s = &share{running: make(map[uint64]time.Time)}
		q.ledgers[l] = s
	}
	s.used = now
	if most > 0 && len(s.running) >= most {
		for id, until := range s.running {
			if now.After(until) {
				delete(s.running, id)
			}
		}
		if len(s.running) >= most {
			return r.fixed(ErrTooMany)
		}
	}
	if s.limit != limit {
		s.limit, s.bucket = limit, nil
		if limit.PerMinute > 0 {
			s.bucket = rate.NewLimiter(rate.Limit(float64(limit.PerMinute)/60), int(max(limit.Burst, 1)))
		}
	}
	if s.bucket != nil && !s.bucket.AllowN(now, 1) {
		return r.fixed(ErrRateExceeded)
	}
	if most > 0 {
		if deadline.IsZero() { // a job without one counts for the longest deadline allowed
			deadline = now.Add(r.policy.MaxDeadline)
		}
		s.running[serial] = deadline.Add(overdue)
	}
	return nil
}

func (q *quota) free(l identity.LedgerID, serial uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.ledgers[l]; s != nil {
		delete(s.running, serial)
	}
}

// forget drops the ledger that has been idle longest, preferring those with nothing running. It
// checks only a sample, so that a flood of ledgers stays cheap; Go's map order is random enough.
func (q *quota) forget() {
	var worst identity.LedgerID
	var least *share
	n := 0
	for l, s := range q.ledgers {
		if least == nil || older(s, least) {
			worst, least = l, s
		}
		if n++; n == 16 {
			break
		}
	}
	delete(q.ledgers, worst)
}

func older(a, b *share) bool {
	if (len(a.running) == 0) != (len(b.running) == 0) {
		return len(a.running) == 0
	}
	return a.used.Before(b.used)
}
