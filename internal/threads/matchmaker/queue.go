package matchmaker

import (
	"container/heap"
)

// line is the jobs that wait for the same thing, by rank. One Choose that finds every
// node busy speaks for all of them: so news of a node costs a try for each line, and
// not for each job.
type line struct {
	key  string
	jobs tickets
	busy bool // every node was; no Kick since
	at   int  // index in Matchmaker.ready, -1: not there

	vacancy vacancy
}

// lines is a heap by the first job of each.
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

// enqueue has t wait. The caller holds mu.
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

// count counts t among those that wait, or not. The caller holds mu.
func (m *Matchmaker) count(t *ticket, waits bool) {
	switch {
	case waits && !t.waits:
		m.waiting++
	case !waits && t.waits:
		m.waiting--
	}
	t.waits = waits
}

// dequeue takes t out of its line. The caller holds mu.
func (m *Matchmaker) dequeue(t *ticket) {
	l := t.line
	heap.Remove(&l.jobs, t.at)
	t.line, t.vacancy = nil, l.vacancy
	if len(l.jobs) == 0 {
		delete(m.lines, l.key)
	}
	m.settle(l)
}

// settle puts l where it belongs after a change. The caller holds mu.
func (m *Matchmaker) settle(l *line) {
	switch wanted := len(l.jobs) > 0 && !l.busy; {
	case wanted && l.at >= 0:
		heap.Fix(&m.ready, l.at)
	case wanted:
		heap.Push(&m.ready, l)
	case l.at >= 0 && len(l.jobs) == 0:
		// An empty line cannot be compared: it leaves from the end.
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

// batchAtMost bounds the jobs placed together.
const batchAtMost = 64

// take hands out the first of the jobs that may be placed now, in order, as many as
// there are hands: one is held for the first already. kicks is for again.
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

// again has t wait at its old rank; with busy, until the next Kick, unless there has
// been one since kicks was read.
func (m *Matchmaker) again(t *ticket, kicks uint64, busy bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.ctx.Err() != nil { // whoever withdrew it meanwhile did not find it
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

// Kick tries the waiting jobs again: a node has a slot, or a node is new. It never
// blocks, and many Kicks cost no more than one until the jobs have been tried.
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

// withdraw takes t out if no hand has it: its ctx is over.
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
