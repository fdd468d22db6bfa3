package governance

import (
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// Policy is what a node allows. The zero value is the default: every publisher, capsule and
// capability, no required metadata beyond the ledger id, no rate or concurrency limit, no
// residency, no quiet hours, lifecycle commands only from the local console and the node that
// spawned the capsule, and the figures of the Default constants.
type Policy struct {
	Version uint64 // increases with each change; a lower one never replaces a higher
	Name    string // for display
	Issued  time.Time

	Require []Field       // metadata that must not be empty, besides creditLedgerId
	MaxSkew time.Duration // how far ahead a timestamp may be; 0 means DefaultMaxSkew
	MaxAge  time.Duration // how far back it may be; 0 means DefaultMaxAge

	Publishers   []identity.PeerID // allowed; none means any
	Capsules     []capsule.CID     // allowed; none means any
	DenyCapsules []capsule.CID     // takes precedence over Capsules

	Budget          uint64        // microcredits a job may cost; 0 means DefaultBudget
	Priority        uint8         // highest allowed; 0 means 255
	DefaultDeadline time.Duration // for jobs without one; 0 means that these have none
	MaxDeadline     time.Duration // 0 means DefaultMaxDeadline

	Rate        Rate // per ledger
	Concurrency int  // jobs of one ledger at a time; 0 means no limit
	Ledgers     []LedgerRule

	Capabilities     []string // that a job or capsule may ask for; none means any
	DenyCapabilities []string // takes precedence over Capabilities
	MaxMemory        uint64   // bytes a capsule may declare; 0 means DefaultMaxMemory
	MaxRun           time.Duration

	Residency []string // GeoHash prefixes that jobs must stay in; none means anywhere

	Lifecycle []LifecycleRule // besides the local console and the spawner
	Quiet     []QuietHours
}

// Defaults that the zero Policy stands for.
const (
	DefaultMaxSkew     = 2 * time.Minute
	DefaultMaxAge      = time.Hour
	DefaultBudget      = 10_000_000 // microcredits: 10 credits
	DefaultMaxDeadline = time.Hour
	DefaultMaxMemory   = 1 << 30
	DefaultMaxRun      = 10 * time.Minute
)

// policyRules are the rules of a policy, in the order in which they are written. Each has its
// text form, its valid values and its default.
var policyRules = []textRule{
	{name: "policy", as: quoted, of: func(p *Policy) any { return &p.Name }, stated: true},
	{name: "version", as: number(64), of: func(p *Policy) any { return &p.Version }, stated: true},
	{name: "issued", as: moment, of: func(p *Policy) any { return &p.Issued }},
	{name: "require", as: metadata, of: func(p *Policy) any { return &p.Require }, together: true, absence: "nothing but creditLedgerId"},
	{name: "max-skew", as: span, of: func(p *Policy) any { return &p.MaxSkew }, byDefault: DefaultMaxSkew},
	{name: "max-age", as: span, of: func(p *Policy) any { return &p.MaxAge }, byDefault: DefaultMaxAge},
	{name: "publisher", as: peer, of: func(p *Policy) any { return &p.Publishers }, absence: "anybody"},
	{name: "capsule", as: module, of: func(p *Policy) any { return &p.Capsules }, absence: "any"},
	{name: "deny capsule", as: module, of: func(p *Policy) any { return &p.DenyCapsules }},
	{name: "budget", as: credits, of: func(p *Policy) any { return &p.Budget }, byDefault: DefaultBudget},
	{name: "priority", as: number(8), of: func(p *Policy) any { return &p.Priority }, byDefault: 255},
	{name: "default-deadline", as: span, of: func(p *Policy) any { return &p.DefaultDeadline }, absence: "none"},
	{name: "max-deadline", as: span, of: func(p *Policy) any { return &p.MaxDeadline }, byDefault: DefaultMaxDeadline},
	{name: "rate", as: perMinute, of: func(p *Policy) any { return &p.Rate }, absence: "no limit"},
	{name: "concurrency", as: number(31), of: func(p *Policy) any { return &p.Concurrency }, absence: "no limit"},
	{name: "ledger", as: ledgerTerms, of: func(p *Policy) any { return &p.Ledgers }},
	{name: "capability", as: capability, of: func(p *Policy) any { return &p.Capabilities }, absence: "any"},
	{name: "deny capability", as: capability, of: func(p *Policy) any { return &p.DenyCapabilities }},
	{name: "max-memory", as: byteSize, of: func(p *Policy) any { return &p.MaxMemory }, byDefault: DefaultMaxMemory},
	{name: "max-run", as: span, of: func(p *Policy) any { return &p.MaxRun }, byDefault: DefaultMaxRun},
	{name: "residency", as: geoPrefix, of: func(p *Policy) any { return &p.Residency }, absence: "anywhere"},
	{name: "lifecycle", as: commands, of: func(p *Policy) any { return &p.Lifecycle },
		absence: "the console, and whoever spawned the capsule"},
	{name: "quiet", as: hours, of: func(p *Policy) any { return &p.Quiet }, absence: "never"},
}

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

// LifecycleRule lets Peer send Commands to any capsule of this node. A zero Peer means anybody,
// no Commands means all.
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
