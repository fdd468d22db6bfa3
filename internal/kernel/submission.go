package kernel

import (
	"time"

	"inos/internal/budget"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/kernel/placement"
	"inos/internal/mesh"
	"inos/internal/threads/matchmaker"
)

// Submission is a job for Dispatch. The kernel does not change the slices and uses them until
// Dispatch returns.
type Submission struct {
	Envelope governance.Envelope // its payload encodes Job
	Job      governance.Job
	Input    []byte
	Voucher  []byte // signed; nil: Payments makes one for the node chosen
	// OnProgress may be nil; it must not block.
	OnProgress func(mesh.Progress)
	// Root names the trace's root span when the maker of the submission started the trace; the span
	// lasts as long as Dispatch. Empty: the trace began elsewhere.
	Root string
}

// Outcome is the end of a job and its history. With an error it holds what is known: the attempts
// and the last decision at least.
type Outcome struct {
	JobID     string
	Code      mesh.JobCode
	Node      identity.PeerID
	Local     bool // it ran on this node
	Score     float64
	Decision  placement.Decision   // the one that led to the last attempt
	Attempts  []matchmaker.Attempt // in order
	Queued    time.Duration        // here and on the node, before it ran
	Run       time.Duration        // as the node measured it
	Total     time.Duration        // from Dispatch to its return
	Fetched   uint64               // bytes of capsule that were transferred for this job
	Output    []byte
	OutputCID string // checked against Output
	Cost      uint64 // microcredits, of all runs that were paid for
	Receipt   []byte // signed; nil without Payments
}

// Status summarises the node.
type Status struct {
	Self         identity.PeerID
	Name, Kind   string
	Capabilities []string
	Started      time.Time
	Joined       bool
	Addrs        []string
	Peers        int // connected
	Nodes        int // known, this one included
	Slots        int
	FreeSlots    int
	Unwritable   error // why this node's books cannot be written; nil: they can
	Waiting      int   // jobs without a node yet
	Running      int   // jobs of this node that are placed somewhere
	Serving      int   // jobs of other nodes that run here
	InLine       int   // jobs of other nodes that wait here for a slot
	Done         uint64
	Failed       uint64
	Rejected     uint64
	Mining       bool
	Fidelity     string
	Clocks       Clocks
	Memory       budget.Use
	Dropped      uint64 // events that slow subscribers missed
}

// JobInfo is a job in the kernel's table: dispatched from here or run here for
// another node.
type JobInfo struct {
	ID        string
	Capsule   string
	Method    string
	State     JobState
	Priority  uint8
	From      identity.PeerID // who asked; zero: this node
	Node      identity.PeerID // where it runs or ran last
	Attempts  int
	Submitted time.Time
	Ended     time.Time
	Progress  mesh.Progress
	Cost      uint64
	Err       string
}

// JobState is a job's progress.
type JobState string

// The states of a job.
const (
	JobQueued    JobState = "queued"
	JobPlaced    JobState = "placed"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)
