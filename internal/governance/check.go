package governance

import (
	"fmt"
	"time"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/identity"
)

// ErrPolicyInvalid: the policy does not parse, or contradicts itself or its limits. Advice: correct what the
// message names: [policy.md](policy.md).
var ErrPolicyInvalid = fault.Final("policy_invalid", "governance: invalid policy")

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
	for _, list := range [2][]string{p.Capabilities, p.DenyCapabilities} {
		if err := capsule.CheckCapabilities(list); err != nil {
			return bad("%v", err)
		}
	}
	for _, g := range p.Residency {
		if !IsGeoHash(g) {
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
			if c > capsule.Feed {
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

// IsGeoHash says whether s is a GeoHash, or the first characters of one: 1 to 12 of its
// base32 digits.
func IsGeoHash(s string) bool {
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
