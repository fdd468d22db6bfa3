package governance

import "time"

// Job asks for one run of a capsule. It is the decoded payload of its Envelope.
type Job struct {
	ID           string // UUIDv7
	Capsule      string // CID text of the capsule
	Method       string
	Args         []string
	Requirements Requirements
	Deadline     time.Time // zero means the policy's default, or none
	InputLength  uint64    // bytes
	InputCID     string
	Budget       uint64 // microcredits: the most the job may cost; 0 means the policy's ceiling
	Priority     uint8  // 0 lowest, 255 highest
	Replicas     uint8  // nodes that run it, each for Budget at most; 0 and 1 mean one
	Agree        uint8  // of them must return the same output; 0 means more than half
}

// MaxReplicas bounds Job.Replicas.
const MaxReplicas = 16

// ReplicasOrOne returns how many nodes run the job, at least 1.
func (j Job) ReplicasOrOne() int { return max(int(j.Replicas), 1) }

// AgreeOrMajority returns how many of them must return the same output, more than half.
func (j Job) AgreeOrMajority() int {
	if j.Agree != 0 {
		return int(j.Agree)
	}
	return j.ReplicasOrOne()/2 + 1
}

// Requirements are hard: a node that misses one is never chosen.
type Requirements struct {
	Capabilities []string
	GeoPrefix    string   // GeoHash prefix the node must lie in; empty means anywhere
	MaxCost      uint64   // microcredits per second; 0 means no ceiling
	Exclude      []string // peer ids
}
