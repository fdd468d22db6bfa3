package governance

import "time"

// Job asks for one run of a capsule. It is the decoded payload of its Envelope.
type Job struct {
	ID           string // UUIDv7
	Capsule      string // CID text of the capsule
	Method       string
	Args         []string
	Requirements Requirements
	Priority     uint8     // 0 lowest, 255 highest
	Deadline     time.Time // zero means the policy's default
	InputLength  uint64    // bytes
	InputCID     string
	Budget       uint64 // microcredits: the most the job may cost; 0 means the policy's ceiling
}

// Requirements are hard: a node that misses one is never chosen.
type Requirements struct {
	Capabilities []string
	GeoPrefix    string   // GeoHash prefix the node must lie in; empty means anywhere
	MaxCost      uint64   // microcredits per second; 0 means no ceiling
	Exclude      []string // peer ids
}
