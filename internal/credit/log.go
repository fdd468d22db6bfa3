package credit

// Log is an ordered sequence of records. internal/store has the durable ones. MemoryLog is for
// tests and for nodes without a store.
type Log interface {
	// Append adds records after the last one; all are durable when it returns nil. After an
	// error only the records count that the next Replay visits, and a later Append may succeed.
	// The caller owns the slices again when it returns. It may block.
	Append(records [][]byte) error
	// Replay calls fn with each record from index from (0-based) on. The slice is valid during
	// the call only. An error of fn ends it and is returned. When records at or after from have
	// been removed, Replay calls base first, with the index of the first kept record and the
	// checkpoint of those before it; it may call base again later. base may be nil when none
	// have been removed.
	Replay(from uint64, base Base, fn func(record []byte) error) error
	// SaveCheckpoint stores state as the sum of the first next records, in place of the
	// checkpoint before. A crash leaves the old or the new one. Records before it may be
	// removed, the oldest first.
	SaveCheckpoint(next uint64, state []byte) error
	// LoadCheckpoint returns the last saved one; nil state when there is none.
	LoadCheckpoint() (next uint64, state []byte, err error)
	// Budget returns how many bytes of records may lie between two checkpoints (0: any number),
	// and whether the log exceeds its bound, so that two checkpoints should be saved at once.
	Budget() (between int64, over bool)
}

// Base receives the checkpoint of the records before first. Calling state reads it.
type Base = func(first uint64, state func() ([]byte, error)) error

// Reader is a Log that can be read while it cannot be written. Read is Replay of the
// acknowledged records, and changes nothing. What a failed Append has left behind may still
// count later; the next Replay decides.
type Reader interface {
	Read(from uint64, base Base, fn func(record []byte) error) error
}

// visit is a log's Replay or Read.
type visit func(from uint64, base Base, fn func(record []byte) error) error

// reading returns the visit that reads log without changing it.
func reading(log Log) visit {
	if r, ok := log.(Reader); ok {
		return r.Read
	}
	return log.Replay
}
