package governance

import (
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// Policy is what a node allows. The zero value is the documented default:
// every publisher, capsule and capability, no required metadata beyond the
// ledger id, no rate or concurrency limit, no ErrResidency, no quiet hours,
// lifecycle commands from the local console and the node that spawned the
// capsule only, and the figures of the Default constants.
type Policy struct {
	Version uint64 // counts up with each change; a lower one never replaces a higher
	Name    string // for people
	Issued  time.Time

	Require []Field       // metadata that must not be empty, besides creditLedgerId
	MaxSkew time.Duration // how far a timestamp may lie ahead; 0 means DefaultMaxSkew
	MaxAge  time.Duration // how far it may lie back; 0 means DefaultMaxAge

	Publishers   []identity.PeerID // allowed; none means any
	Capsules     []capsule.CID     // allowed; none means any
	DenyCapsules []capsule.CID     // wins over Capsules

	Budget          uint64        // microcredits a job may cost; 0 means DefaultBudget
	Priority        uint8         // highest allowed; 0 means 255
	DefaultDeadline time.Duration // for jobs without; 0 means that these have none
	MaxDeadline     time.Duration // 0 means DefaultMaxDeadline

	Rate        Rate // per ledger
	Concurrency int  // jobs of one ledger at a time; 0 means no limit
	Ledgers     []LedgerRule

	Capabilities     []string // a job or capsule may ask for; none means any
	DenyCapabilities []string // wins over Capabilities
	MaxMemory        uint64   // bytes a capsule may declare; 0 means DefaultMaxMemory
	MaxRun           time.Duration

	Residency []string // GeoHash prefixes jobs must stay in; none means anywhere

	Lifecycle []LifecycleRule // besides the local console and the spawner
	Quiet     []QuietHours
}

// What the zero Policy means.
const (
	DefaultMaxSkew     = 2 * time.Minute
	DefaultMaxAge      = time.Hour
	DefaultBudget      = 10_000_000 // microcredits: 10 credits
	DefaultMaxDeadline = time.Hour
	DefaultMaxMemory   = 1 << 30
	DefaultMaxRun      = 10 * time.Minute
)

// Rate is a token bucket: PerMinute jobs on average, up to Burst at once. The
// zero Rate is no limit; a Burst of 0 means 1.
type Rate struct {
	PerMinute uint32
	Burst     uint32
}

// LedgerRule overrides figures for one ledger. Zero fields leave the policy's.
type LedgerRule struct {
	Ledger      identity.LedgerID
	Deny        bool
	Budget      uint64
	Rate        Rate
	Concurrency int
}

// LifecycleRule lets Peer send Commands to any capsule of this node; a zero
// Peer means anybody, no Commands means all.
type LifecycleRule struct {
	Peer     identity.PeerID
	Commands []capsule.CommandType
}

// QuietHours reject jobs below MinPriority between From and To, both minutes of
// the day in UTC shifted by Offset; From > To wraps past midnight. A MinPriority
// of 0 means that only priority 255 gets through.
type QuietHours struct {
	From, To    uint16        // 0 to 1439
	Offset      time.Duration // of the local time from UTC
	MinPriority uint8
}

func (q QuietHours) covers(now time.Time) bool {
	t := now.UTC().Add(q.Offset)
	m := uint16(t.Hour()*60 + t.Minute())
	if q.From <= q.To {
		return m >= q.From && m < q.To
	}
	return m >= q.From || m < q.To
}

// withDefaults replaces zero figures by what they mean.
func (p Policy) withDefaults() Policy {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&p.MaxSkew, DefaultMaxSkew)
	def(&p.MaxAge, DefaultMaxAge)
	def(&p.MaxDeadline, DefaultMaxDeadline)
	def(&p.MaxRun, DefaultMaxRun)
	if p.Budget == 0 {
		p.Budget = DefaultBudget
	}
	if p.MaxMemory == 0 {
		p.MaxMemory = DefaultMaxMemory
	}
	if p.Priority == 0 {
		p.Priority = 255
	}
	return p
}
