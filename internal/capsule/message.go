package capsule

// Messages of the rings besides Command, Reply and Heartbeat; the shapes of
// schema/system/v1/capsule.capnp. Offsets and lengths from a capsule are claims
// until checked against its Memory.
type (
	// Reserve asks for Bytes of room for input.
	Reserve struct{ Ticket, Bytes uint64 }
	// Reserved answers it; OK is false when there is no memory for it.
	Reserved struct {
		Ticket         uint64
		OK             bool
		Offset, Length uint64
	}
	// Run starts one job on input that lies at Offset.
	Run struct {
		Ticket         uint64
		Method         string
		Args           []string
		Offset, Length uint64
	}
	// RunDone ends it. The output lies at Offset until Release.
	RunDone struct {
		Ticket         uint64
		Code           RunCode
		Message        string
		Offset, Length uint64
	}
	// Release lets the capsule free a ticket's output.
	Release struct{ Ticket uint64 }
	// Log is a line of a capsule's log; Level as in log/slog.
	Log struct {
		Level  int8
		Text   string
		Ticket uint64
	}
	// Progress of a running job; Total 0 when unknown.
	Progress struct{ Ticket, Done, Total uint64 }
)

// Codec turns messages into frame payloads and back. internal/wire has the
// Cap'n Proto one. Safe for concurrent use.
type Codec interface {
	// Encode takes a Command, Reserve, Run or Release (by value).
	Encode(msg any) (FrameKind, []byte, error)
	// Decode returns a Reply, Heartbeat, Reserved, RunDone, Log or Progress (by
	// value). payload is not retained. It never panics, whatever payload holds.
	Decode(kind FrameKind, payload []byte) (any, error)
}

// Task is one job for a capsule.
type Task struct {
	Method string
	Args   []string
	Input  []byte
	// Room is asked before the output is copied out of the capsule, with its length in bytes;
	// its error is the task's. nil: there is room.
	Room func(bytes uint64) error
}
