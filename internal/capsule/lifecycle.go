package capsule

import "time"

// Command is a LifecycleCmd with its params decoded: exactly the params pointer
// of its type is set; Pause and Resume have none.
type Command struct {
	ID        string
	Type      CommandType
	Target    string // capsule id, empty for Spawn
	Timestamp time.Time
	Deadline  time.Time // zero means the receiver's default
	// Timeout travels between nodes, whose clocks differ: how long the caller waits from
	// when it sent the command. Whoever receives one makes a Deadline of it.
	Timeout time.Duration

	Spawn    *SpawnParams
	Kill     *KillParams
	Snapshot *SnapshotParams
	Resize   *ResizeParams
}

// SpawnParams says what to start.
type SpawnParams struct {
	CID            string
	Wasm           []byte   // optional: the module itself
	MemoryLimit    uint64   // bytes; 0 means what the module declares
	Capabilities   []string // what it may use: the node must have and allow them
	Args           []string // the capsule's, through all its restarts
	CreditLedgerID string
	Restart        RestartPolicy
	Group          string // capsules that restart together; empty means alone
	Strategy       GroupStrategy
}

// KillParams says why, and how long a job in flight may go on.
type KillParams struct {
	Reason string
	Grace  time.Duration
}

// SnapshotParams says how to write the snapshot.
type SnapshotParams struct{ Compress bool }

// ResizeParams holds the memory length wanted, in bytes.
type ResizeParams struct{ Bytes uint64 }

// Reply answers exactly one Command.
type Reply struct {
	ID          string // the command's
	Code        ReplyCode
	Message     string
	CapsuleID   string
	MemoryBytes uint64
	MemoryEpoch uint32
	SnapshotCID string
	Timestamp   time.Time
	Reason      string // of another code than OK: the stable code of the error, if it has one
}

// Heartbeat is a capsule's HealthHeartbeat.
type Heartbeat struct {
	CapsuleID    string
	Status       Status
	MemoryUsage  uint64 // bytes
	CPUTime      time.Duration
	Congested    bool
	NeedsMoreMem bool
	Sequence     uint64
	MemoryEpoch  uint32
	Paused       bool
	JobsDone     uint64
	WantedBytes  uint64
}
