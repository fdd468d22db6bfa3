package kernel

import (
	"fmt"
	"time"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
	"inos/internal/scheduler"
	"inos/internal/trace"
)

// Config of a Kernel. Self, Gate, Capsules and Blobs are required; a figure of zero means its
// default.
type Config struct {
	Self         identity.PeerID
	Name         string // for people
	Kind         string // "native" or "browser"
	Capabilities []string
	GeoHash      string
	CreditCost   uint64 // microcredits per second of capsule time
	// Owner has vouched for owning this node, in Ownership, which travels with the profile. Both
	// may be empty.
	Owner     identity.PeerID
	Ownership []byte
	Slots     int // jobs that run here at a time; 0 means 1, below 0 none

	Gate     Gate
	Capsules Capsules
	Blobs    lifecycle.Blobs
	// Snapshots stores the images of Capsules; nil: snapshots do not travel.
	Snapshots lifecycle.Snapshots
	Payments  Payments         // nil: no vouchers, no receipts
	Scorer    scheduler.Scorer // nil: scheduler.Formula
	// Reputation records every job that another node did, and is a factor of its score. nil: every
	// node stays a stranger.
	Reputation *credit.Reputation
	Upkeep     lifecycle.Upkeep // nil: spawned capsules cost nothing
	// Memory is the budget for inputs, outputs and fetched capsules; nil: without bound.
	Memory *budget.Memory
	Trace  *trace.Recorder // nil: one of the default size

	// Emit gets every event, one at a time and in order. It must not block and must not call the
	// kernel. nil: events go to subscribers only.
	Emit func(Event)

	// Now is this machine's clock with its monotonic reading. It may be wrong and may be set at any
	// time. The times that other nodes are told come from it. nil means time.Now.
	Now func() time.Time

	PublishEvery time.Duration // 0 means 10 s
	ProfileTTL   time.Duration // 0 means 3 * PublishEvery
	PingEvery    time.Duration // 0 means 5 s
	// DefaultLatency is the least latency that a node counts with until this node has measured it,
	// whatever the node claims; 0 means 100 ms.
	DefaultLatency time.Duration

	IdleAfter time.Duration // the user is active for so long after the last input; 0 means 30 s
	// AlwaysVolunteer nodes take jobs of other nodes also while their user is active or their
	// battery is low.
	AlwaysVolunteer bool

	Jobs     int // jobs of this node queued or placed at a time; 0 means 1024
	InHand   int // jobs of them that are being placed or run at a time; 0 means 64
	Attempts int // nodes tried for one job; 0 means 3
	// Silence is the stall timeout: how long a node may report nothing new of a job before the next
	// attempt starts on another node; see matchmaker.Config. 0 means 30 s.
	Silence time.Duration
	// Hedge sends a second copy of a job to another node when the first takes longer than 95 % of
	// its node's last answers did. Both nodes may have to be paid.
	Hedge bool
	Nodes int // nodes known at most; 0 means 1<<20
	// Explain is the number of known nodes up to which every placement counts what each requirement
	// ruled out, for which it looks at every node; 0 means 32. For a job that gets no node that is
	// always counted.
	Explain int
}

// ErrConfig: a required field of a Config is missing. Final.
var ErrConfig = fault.Internal("kernel: bad config")

// withDefaults fills in c. Errors match ErrConfig and name what is missing.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Self == "":
		return c, fmt.Errorf("%w: no Self", ErrConfig)
	case c.Gate == nil || c.Capsules == nil || c.Blobs == nil:
		return c, fmt.Errorf("%w: Gate, Capsules and Blobs are required", ErrConfig)
	}
	if err := capsule.CheckCapabilities(c.Capabilities); err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.PublishEvery, 10*time.Second)
	def(&c.ProfileTTL, 3*c.PublishEvery)
	def(&c.PingEvery, 5*time.Second)
	def(&c.DefaultLatency, 100*time.Millisecond)
	count := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	if c.Slots < 0 {
		c.Slots = 0
	} else {
		count(&c.Slots, 1)
	}
	count(&c.Jobs, 1024)
	count(&c.InHand, 64)
	count(&c.Attempts, 3)
	count(&c.Nodes, 1<<20)
	count(&c.Explain, 32)
	if c.Trace == nil {
		c.Trace = trace.NewRecorder(0)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Emit == nil {
		c.Emit = func(Event) {}
	}
	return c, nil
}
