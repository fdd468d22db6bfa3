package credit

// Log keeps records in order. internal/store has the durable ones; MemoryLog is
// for tests and for nodes that may forget.
type Log interface {
	// Append adds records after the last one; all are durable when it returns nil.
	// After an error none of them counts that the next Replay does not visit; a later
	// Append may succeed. The slices are the caller's again when it returns. It may block.
	Append(records [][]byte) error
	// Replay calls fn with each record from index from (0-based) on. The slice is
	// valid during the call only. An error of fn ends it and is returned. Where records
	// from from on have been let go it calls base first, with the index of the first that is
	// kept and the checkpoint that those before it add up to; later on it may do so again.
	// base may be nil when they have not.
	Replay(from uint64, base Base, fn func(record []byte) error) error
	// SaveCheckpoint keeps state as what the first next records add up to, in place
	// of the one before. A crash leaves the old or the new one. Records before it may be
	// let go, the oldest first.
	SaveCheckpoint(next uint64, state []byte) error
	// LoadCheckpoint returns the last saved one; nil state when there is none.
	LoadCheckpoint() (next uint64, state []byte, err error)
	// Budget says how many bytes of records may lie between two checkpoints, 0: as many as
	// wanted; and whether the log takes more than it may, so that two checkpoints should be
	// saved at once.
	Budget() (between int64, over bool)
}

// Base is told of the checkpoint that the records before first add up to; state reads it.
type Base = func(first uint64, state func() ([]byte, error)) error

// Reader is a Log that can be read while it cannot be written. Read is Replay of what has
// been acknowledged, and changes nothing: what an Append that failed has left behind may
// still count, until Replay says what does.
type Reader interface {
	Read(from uint64, base Base, fn func(record []byte) error) error
}

// visit is a log's Replay or Read.
type visit func(from uint64, base Base, fn func(record []byte) error) error

// reading is how to read log without changing it.
func reading(log Log) visit {
	if r, ok := log.(Reader); ok {
		return r.Read
	}
	return log.Replay
}
