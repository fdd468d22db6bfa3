package credit

import (
	"slices"
	"sync"
)

// MemoryBudget is a good Bound of a MemoryLog, in bytes: some 180,000 entries.
const MemoryBudget = 32 << 20

// memoryShare: what comes between two checkpoints is a quarter of all at most.
const memoryShare = 4

// MemoryLog is a Log that lasts as long as the program. Safe for concurrent use.
type MemoryLog struct {
	// Bound is how many bytes of records and checkpoints are kept; 0 means all. Set it
	// before use.
	Bound int64

	mu      sync.Mutex
	records [][]byte // from gone on
	bytes   int64    // of them, and of marks' states
	gone    uint64
	next    uint64
	state   []byte
	marks   []mark
}

// mark is a place from which on the records can be kept.
type mark struct {
	next  uint64
	state []byte
}

// Append keeps copies.
func (m *MemoryLog) Append(records [][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		m.records = append(m.records, append([]byte(nil), r...))
		m.bytes += int64(len(r))
	}
	return nil
}

// Replay visits what was there when it was called.
func (m *MemoryLog) Replay(from uint64, base Base, fn func([]byte) error) error {
	m.mu.Lock()
	records, gone := m.records, m.gone
	var state []byte
	if gone > 0 {
		state = m.marks[0].state
	}
	m.mu.Unlock()
	if from < gone {
		if err := base(gone, func() ([]byte, error) { return state, nil }); err != nil {
			return err
		}
		from = gone
	}
	for i := from - gone; i < uint64(len(records)); i++ {
		if err := fn(records[i]); err != nil {
			return err
		}
	}
	return nil
}

// SaveCheckpoint keeps a copy, and lets go of what is too much.
func (m *MemoryLog) SaveCheckpoint(next uint64, state []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next, m.state = next, append([]byte(nil), state...)
	if m.Bound == 0 {
		return nil
	}
	m.marks = append(m.marks, mark{next, m.state})
	m.bytes += int64(len(state))
	for m.bytes > m.Bound-m.Bound/memoryShare {
		to := 0
		if m.gone > 0 {
			to = 1 // the first is where the records begin
		}
		if to == len(m.marks) {
			break
		}
		m.begin(to)
	}
	return nil
}

// begin lets go of what is before a mark. The caller holds mu.
func (m *MemoryLog) begin(at int) {
	n := m.marks[at].next - m.gone
	for _, r := range m.records[:n] {
		m.bytes -= int64(len(r))
	}
	for _, k := range m.marks[:at] {
		m.bytes -= int64(len(k.state))
	}
	// Copies, so that the rest is free: it may still be read.
	m.records, m.marks = slices.Clone(m.records[n:]), slices.Clone(m.marks[at:])
	m.gone = m.marks[0].next
}

// LoadCheckpoint returns the last one saved.
func (m *MemoryLog) LoadCheckpoint() (uint64, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.next, m.state, nil
}

// Budget is never exceeded: it begins empty.
func (m *MemoryLog) Budget() (between int64, over bool) { return m.Bound / memoryShare, false }
