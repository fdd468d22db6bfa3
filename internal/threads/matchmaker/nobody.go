package matchmaker

import (
	"errors"
	"time"
)

// vacancy says why no node is there for the jobs of a line, and since when. The zero value means
// that there is a node, or that nobody has asked.
type vacancy struct {
	err   error
	since time.Time
}

// heard applies the error of a Choice for t to all jobs of t's line. It reports whether t has
// waited for long enough.
func (m *Matchmaker) heard(t *ticket, err error) (over bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	switch {
	case !errors.Is(err, ErrNobody):
		t.vacancy = vacancy{}
	case t.vacancy.err == nil:
		t.vacancy = vacancy{err, now}
	default:
		t.vacancy.err = err
	}
	if l := m.lines[t.key+t.apart]; l != nil {
		l.vacancy = t.vacancy
	}
	since := t.vacancy.since
	if t.arrived.After(since) {
		since = t.arrived
	}
	return t.vacancy.err != nil && t.deadline.Equal(never) && now.Sub(since) >= m.cfg.NodeWait
}
