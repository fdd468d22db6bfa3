package capsule

import "time"

// CommandType has the ordinals of schema/system/v1 CommandType.
type CommandType uint16

// The commands of a capsule's life.
const (
	Spawn CommandType = iota
	Kill
	Pause
	Resume
	Snapshot
	ResizeMem
	// Feed is no command to a capsule: in a policy it names the right to stream bytes
	// into one.
	Feed
)

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

// RestartPolicy says when a capsule that ended is started again (the restart types
// of Erlang/OTP's supervisor). It has the ordinals of schema/system/v1.
type RestartPolicy uint16

// The policies.
const (
	DefaultRestart RestartPolicy = iota // the receiver's
	Permanent                           // always
	Transient                           // when it crashed
	Temporary                           // never
)

// GroupStrategy says who is started again when a member of a group is (Erlang/OTP's
// names). It has the ordinals of schema/system/v1.
type GroupStrategy uint16

// The strategies.
const (
	OneForOne  GroupStrategy = iota // that member alone
	RestForOne                      // that member, then those spawned after it, in order
)

// KillParams says why, and how long a job in flight may go on.
type KillParams struct {
	Reason string
	Grace  time.Duration
}

// SnapshotParams says how to write the snapshot.
type SnapshotParams struct{ Compress bool }

// ResizeParams holds the memory length wanted, in bytes.
type ResizeParams struct{ Bytes uint64 }

// ReplyCode has the ordinals of schema/system/v1 ReplyCode.
type ReplyCode uint16

// The answers to a Command.
const (
	OK ReplyCode = iota
	Refused
	UnknownCapsule
	InvalidState
	BadParams
	Limit
	Deadline
	Crashed
	Unsupported
	Denied
)

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

// Status has the ordinals of schema/system/v1 Status.
type Status uint16

// What a capsule says of its own health.
const (
	Starting Status = iota
	Healthy
	Degraded
	Zombie
)

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
