package credit

import "sync"

// Log keeps records in order. internal/store has the durable ones; MemoryLog is
// for tests and for nodes that may forget.
type Log interface {
	// Append adds records after the last one; all are durable when it returns nil.
	// After an error none of them counts that the next Replay does not visit; a later
	// Append may succeed. The slices are the caller's again when it returns. It may block.
	Append(records [][]byte) error
	// Replay calls fn with each record from index from (0-based) on. The slice is
	// valid during the call only. An error of fn ends it and is returned.
	Replay(from uint64, fn func(record []byte) error) error
	// SaveCheckpoint keeps state as what the first next records add up to, in place
	// of the one before. A crash leaves the old or the new one.
	SaveCheckpoint(next uint64, state []byte) error
	// LoadCheckpoint returns the last saved one; nil state when there is none.
	LoadCheckpoint() (next uint64, state []byte, err error)
}

// Reader is a Log that can be read while it cannot be written. Read is Replay of what has
// been acknowledged, and changes nothing: what an Append that failed has left behind may
// still count, until Replay says what does.
type Reader interface {
	Read(from uint64, fn func(record []byte) error) error
}

// reading is how to read log without changing it.
func reading(log Log) func(from uint64, fn func(record []byte) error) error {
	if r, ok := log.(Reader); ok {
		return r.Read
	}
	return log.Replay
}

// MemoryLog is a Log that lasts as long as the program. Safe for concurrent use.
type MemoryLog struct {
	mu      sync.Mutex
	records [][]byte
	next    uint64
	state   []byte
}

// Append keeps copies.
func (m *MemoryLog) Append(records [][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		m.records = append(m.records, append([]byte(nil), r...))
	}
	return nil
}

// Replay visits what was there when it was called.
func (m *MemoryLog) Replay(from uint64, fn func([]byte) error) error {
	m.mu.Lock()
	records := m.records
	m.mu.Unlock()
	for i := from; i < uint64(len(records)); i++ {
		if err := fn(records[i]); err != nil {
			return err
		}
	}
	return nil
}

// SaveCheckpoint keeps a copy.
func (m *MemoryLog) SaveCheckpoint(next uint64, state []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next, m.state = next, append([]byte(nil), state...)
	return nil
}

// LoadCheckpoint returns the last one saved.
func (m *MemoryLog) LoadCheckpoint() (uint64, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.next, m.state, nil
}
