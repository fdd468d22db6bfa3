package matchmaker

import (
	"container/heap"
)

// line holds the jobs that wait for the same thing, by rank. When Choose finds every node busy for
// one of them, that holds for all: so a change of a node costs one try for each line, not for each
// job.
type line struct {
	key  string
	jobs tickets
	busy bool // every node was busy, and no Kick came since
	at   int  // index in Matchmaker.ready; -1: it is not in there

	vacancy vacancy
}

// lines is a heap ordered by the first job of each line.
type lines []*line

func (q lines) Len() int           { return len(q) }
func (q lines) Less(i, j int) bool { return q[i].jobs[0].before(q[j].jobs[0]) }

func (q lines) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *lines) Push(v any) {
	l := v.(*line)
	l.at = len(*q)
	*q = append(*q, l)
}

func (q *lines) Pop() any {
	old := *q
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	l.at = -1
	return l
}

// enqueue puts t into its line. The caller holds mu.
func (m *Matchmaker) enqueue(t *ticket) {
	key := t.key + t.apart
	l := m.lines[key]
	if l == nil {
		l = &line{key: key, at: -1}
		m.lines[key] = l
	}
	heap.Push(&l.jobs, t)
	t.line = l
	m.count(t, true)
	m.settle(l)
}

// count updates the number of waiting jobs for t. The caller holds mu.
func (m *Matchmaker) count(t *ticket, waits bool) {
	switch {
	case waits && !t.waits:
		m.waiting++
	case !waits && t.waits:
		m.waiting--
	}
	t.waits = waits
}

// dequeue removes t from its line. The caller holds mu.
func (m *Matchmaker) dequeue(t *ticket) {
	l := t.line
	heap.Remove(&l.jobs, t.at)
	t.line, t.vacancy = nil, l.vacancy
	if len(l.jobs) == 0 {
		delete(m.lines, l.key)
	}
	m.settle(l)
}

// settle moves l to its place after a change. The caller holds mu.
func (m *Matchmaker) settle(l *line) {
	switch wanted := len(l.jobs) > 0 && !l.busy; {
	case wanted && l.at >= 0:
		heap.Fix(&m.ready, l.at)
	case wanted:
		heap.Push(&m.ready, l)
	case l.at >= 0 && len(l.jobs) == 0:
		// An empty line cannot be compared, so it is removed from the end of the heap.
		i, last := l.at, len(m.ready)-1
		m.ready.Swap(i, last)
		m.ready.Pop()
		if i < last {
			heap.Fix(&m.ready, i)
		}
	case l.at >= 0:
		heap.Remove(&m.ready, l.at)
	}
	if len(m.ready) > 0 {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// batchAtMost is the most jobs placed together.
const batchAtMost = 64

// take removes the first jobs that may be placed now, in order, at most as many as there are free
// workers. The caller has reserved a worker for the first already. kicks is for again.
func (m *Matchmaker) take(hands chan struct{}) (batch []*ticket, kicks uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.ready) > 0 && len(batch) < batchAtMost {
		if len(batch) > 0 {
			select {
			case hands <- struct{}{}:
			default:
				return batch, m.kicks
			}
		}
		t := m.ready[0].jobs[0]
		m.dequeue(t)
		batch = append(batch, t)
	}
	return batch, m.kicks
}

// again returns t to its line at its old rank. With busy, t waits for the next Kick, unless one has
// come since kicks was read.
func (m *Matchmaker) again(t *ticket, kicks uint64, busy bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.ctx.Err() != nil { // a withdrawal in the meantime did not find it
		m.finish(t, Result{Attempts: t.attempts}, t.over(t.ctx))
		return
	}
	m.enqueue(t)
	t.line.vacancy = t.vacancy
	if busy && m.kicks == kicks {
		t.line.busy = true
		m.settle(t.line)
	}
}

// Kick has the waiting jobs tried again: a node has a free slot, or is new. It never blocks. Until
// the jobs have been tried, many Kicks cost no more than one.
func (m *Matchmaker) Kick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kicks++
	if len(m.ready) == len(m.lines) {
		return
	}
	for _, l := range m.lines {
		if l.busy {
			l.busy = false
			m.settle(l)
		}
	}
}

func (m *Matchmaker) kickCount() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kicks
}

// withdraw removes t, whose ctx has ended, unless a worker has it.
func (m *Matchmaker) withdraw(t *ticket) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.line == nil {
		return false
	}
	m.dequeue(t)
	m.finish(t, Result{Attempts: t.attempts}, t.over(t.ctx))
	return true
}
