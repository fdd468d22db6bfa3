package governance

import (
	"errors"
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// Policy is what a node allows. The zero value is the documented default:
// every publisher, capsule and capability, no required metadata beyond the
// ledger id, no rate or concurrency limit, no residency, no quiet hours,
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
	DefaultDeadline time.Duration // for jobs without; 0 means DefaultDeadline
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
	DefaultDeadline    = time.Minute
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

// Field names a metadata field.
type Field uint8

// The metadata fields a policy can require.
const (
	FieldModuleID Field = iota
	FieldUserID
	FieldDeviceID
	FieldTraceParent
	FieldAuthToken
	fieldEnd
)

var fieldNames = [fieldEnd]string{"moduleId", "userId", "deviceId", "traceParent", "authToken"}

func (f Field) String() string {
	if f >= fieldEnd {
		return fmt.Sprintf("field %d", uint8(f))
	}
	return fieldNames[f]
}

func (f Field) of(e *Envelope) string {
	switch f {
	case FieldModuleID:
		return e.Metadata.ModuleID
	case FieldUserID:
		return e.Metadata.UserID
	case FieldDeviceID:
		return e.Metadata.DeviceID
	case FieldTraceParent:
		return e.Metadata.TraceParent
	default:
		return e.Metadata.AuthToken
	}
}

// ErrPolicyInvalid says that a policy contradicts itself or its limits. Final.
var ErrPolicyInvalid = errors.New("governance: invalid policy")

// withDefaults replaces zero figures by what they mean.
func (p Policy) withDefaults() Policy {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&p.MaxSkew, DefaultMaxSkew)
	def(&p.MaxAge, DefaultMaxAge)
	def(&p.DefaultDeadline, DefaultDeadline)
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

// maxPolicyItems bounds every list of a policy.
const maxPolicyItems = 4096

// Check says whether p can be put in force. Errors match ErrPolicyInvalid and
// name the field.
func (p Policy) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrPolicyInvalid, fmt.Sprintf(format, args...))
	}
	for name, n := range map[string]int{"publishers": len(p.Publishers), "capsules": len(p.Capsules) + len(p.DenyCapsules),
		"ledgers": len(p.Ledgers), "capabilities": len(p.Capabilities) + len(p.DenyCapabilities),
		"residency": len(p.Residency), "lifecycle": len(p.Lifecycle), "quiet hours": len(p.Quiet), "required": len(p.Require)} {
		if n > maxPolicyItems {
			return bad("%s: %d items, at most %d", name, n, maxPolicyItems)
		}
	}
	for name, d := range map[string]time.Duration{"max skew": p.MaxSkew, "max age": p.MaxAge,
		"default deadline": p.DefaultDeadline, "max deadline": p.MaxDeadline, "max run": p.MaxRun} {
		if d < 0 {
			return bad("%s is negative", name)
		}
	}
	if w := p.withDefaults(); w.DefaultDeadline > w.MaxDeadline {
		return bad("default deadline %v exceeds the maximum %v", w.DefaultDeadline, w.MaxDeadline)
	}
	if p.Budget > 1<<60 {
		return bad("budget exceeds 2^60")
	}
	if p.Concurrency < 0 {
		return bad("concurrency is negative")
	}
	for _, f := range p.Require {
		if f >= fieldEnd {
			return bad("unknown %v", f)
		}
	}
	for _, id := range p.Publishers {
		if _, err := id.PublicKey(); err != nil {
			return bad("publisher: %v", err)
		}
	}
	seen := make(map[identity.LedgerID]bool, len(p.Ledgers))
	for _, l := range p.Ledgers {
		if _, err := l.Ledger.PublicKey(); err != nil {
			return bad("ledger: %v", err)
		}
		if seen[l.Ledger] {
			return bad("ledger %s has two rules", l.Ledger)
		}
		seen[l.Ledger] = true
		if l.Concurrency < 0 || l.Budget > 1<<60 {
			return bad("ledger %s: figure out of range", l.Ledger)
		}
	}
	for _, c := range append(append([]capsule.CID(nil), p.Capsules...), p.DenyCapsules...) {
		if c.IsZero() {
			return bad("empty capsule cid")
		}
	}
	for _, c := range append(append([]string(nil), p.Capabilities...), p.DenyCapabilities...) {
		if !word(c) {
			return bad("capability %q", c)
		}
	}
	for _, g := range p.Residency {
		if !geoPrefix(g) {
			return bad("residency %q is no GeoHash prefix", g)
		}
	}
	for _, l := range p.Lifecycle {
		if l.Peer != "" {
			if _, err := l.Peer.PublicKey(); err != nil {
				return bad("lifecycle: %v", err)
			}
		}
		for _, c := range l.Commands {
			if c > capsule.ResizeMem {
				return bad("lifecycle: unknown command %d", c)
			}
		}
	}
	for _, q := range p.Quiet {
		if q.From > 1439 || q.To > 1439 || q.Offset < -14*time.Hour || q.Offset > 14*time.Hour || q.Offset%time.Minute != 0 {
			return bad("quiet hours out of range")
		}
	}
	return nil
}

func geoPrefix(s string) bool {
	if len(s) == 0 || len(s) > 12 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'b' || c > 'z' || c == 'i' || c == 'l' || c == 'o') {
			return false
		}
	}
	return true
}
