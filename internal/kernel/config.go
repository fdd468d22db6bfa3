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

// Config of a Kernel. Self, Gate, Capsules and Blobs are required; zero figures
// mean the defaults.
type Config struct {
	Self         identity.PeerID
	Name         string // for people
	Kind         string // "native" or "browser"
	Capabilities []string
	GeoHash      string
	CreditCost   uint64 // microcredits per second of capsule time
	// Owner has vouched for being this node's owner, in Ownership, which travels with
	// the profile; both may be empty.
	Owner     identity.PeerID
	Ownership []byte
	Slots     int // jobs run here at a time; 0 means 1, below 0 none

	Gate     Gate
	Capsules Capsules
	Blobs    lifecycle.Blobs
	// Snapshots is where Capsules keeps its images; nil: they do not travel.
	Snapshots lifecycle.Snapshots
	Payments  Payments         // nil: no vouchers, no receipts
	Scorer    scheduler.Scorer // nil: scheduler.Formula
	// Reputation is noted after every job that another node did, and is a factor of
	// its score; nil: every node is a stranger for ever.
	Reputation *credit.Reputation
	Upkeep     lifecycle.Upkeep // nil: spawned capsules cost nothing
	// Memory is where inputs, outputs and what is fetched take theirs from; nil: without bound.
	Memory *budget.Memory
	Trace  *trace.Recorder // nil: one of the default size

	// Emit gets every event, one at a time and in order. It must not block and must
	// not call the kernel. nil: events go to subscribers only.
	Emit func(Event)

	// Now is this machine's clock, which may be wrong and may be set at any time, with its
	// monotonic reading; nil means time.Now. What others are told is by it.
	Now func() time.Time

	PublishEvery time.Duration // 0 means 10 s
	ProfileTTL   time.Duration // 0 means 3 * PublishEvery
	PingEvery    time.Duration // 0 means 5 s
	// DefaultLatency is the least latency a node counts with until this node has
	// measured its own, whatever the node claims; 0 means 100 ms.
	DefaultLatency time.Duration

	IdleAfter time.Duration // a user who did nothing for as long is not active; 0 means 30 s
	// AlwaysVolunteer nodes take jobs of other nodes while their user is active or their battery
	// low, too.
	AlwaysVolunteer bool

	Jobs     int // jobs of this node queued or placed at a time; 0 means 1024
	InHand   int // of them being placed or run at a time; 0 means 64
	Attempts int // nodes tried for one job; 0 means 3
	// Silence is how long a node may report nothing of a job before another one gets
	// it; see matchmaker.Config. 0 means 30 s.
	Silence time.Duration
	// Hedge sends a second copy of a job to another node when the first takes longer
	// than 95 % of its node's last answers did; both nodes may have to be paid.
	Hedge bool
	Nodes int // nodes known at most; 0 means 1<<20
	// Explain is the number of known nodes up to which every placement counts what
	// each requirement ruled out, which looks at every node; 0 means 32. A job that
	// gets no node is told in any case.
	Explain int
}

// ErrConfig says what a Config lacks. Final.
var ErrConfig = fault.Internal("kernel: bad config")

// withDefaults fills in c and says what is missing.
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
