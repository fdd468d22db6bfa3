package accounts

import (
	"sync"

	"inos/internal/credit"
)

// FullLog is a credit.Log in memory that refuses entries while Fail says so. The zero value
// works.
type FullLog struct {
	credit.MemoryLog
	mu     sync.Mutex
	failed error
}

// Append implements credit.Log.
func (l *FullLog) Append(records [][]byte) error {
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	if failed != nil {
		return failed
	}
	return l.MemoryLog.Append(records)
}

// Fail has every Append fail with err, until Fail(nil).
func (l *FullLog) Fail(err error) {
	l.mu.Lock()
	l.failed = err
	l.mu.Unlock()
}
