package credit

import (
	"slices"
	"sync"
)

// MemoryBudget is the usual Bound of a MemoryLog, in bytes: some 180,000 entries.
const MemoryBudget = 32 << 20

// memoryShare: at most a quarter of the bound lies between two checkpoints.
const memoryShare = 4

// MemoryLog is a Log that lasts as long as the program. Safe for concurrent use.
type MemoryLog struct {
	// Bound is the most bytes of records and checkpoints that are kept; 0 means all. Set it
	// before use.
	Bound int64

	mu      sync.Mutex
	records [][]byte // from index gone on
	bytes   int64    // of records and of the marks' states
	gone    uint64
	next    uint64
	state   []byte
	marks   []mark
}

// mark is a checkpoint at which the kept records may begin.
type mark struct {
	next  uint64
	state []byte
}

// Append stores copies.
func (m *MemoryLog) Append(records [][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		m.records = append(m.records, append([]byte(nil), r...))
		m.bytes += int64(len(r))
	}
	return nil
}

// Replay visits the records present at the call.
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

// SaveCheckpoint stores a copy, and removes records beyond the bound.
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
			to = 1 // the first mark is where the records begin
		}
		if to == len(m.marks) {
			break
		}
		m.begin(to)
	}
	return nil
}

// begin removes the records before mark at. The caller holds mu.
func (m *MemoryLog) begin(at int) {
	n := m.marks[at].next - m.gone
	for _, r := range m.records[:n] {
		m.bytes -= int64(len(r))
	}
	for _, k := range m.marks[:at] {
		m.bytes -= int64(len(k.state))
	}
	// Cloned rather than resliced, so that the removed part is freed once no reader has it.
	m.records, m.marks = slices.Clone(m.records[n:]), slices.Clone(m.marks[at:])
	m.gone = m.marks[0].next
}

// LoadCheckpoint returns the last saved checkpoint.
func (m *MemoryLog) LoadCheckpoint() (uint64, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.next, m.state, nil
}

// Budget never reports an excess, since a MemoryLog begins empty.
func (m *MemoryLog) Budget() (between int64, over bool) { return m.Bound / memoryShare, false }
