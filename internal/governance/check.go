package governance

import (
	"fmt"
	"strings"

	"inos/internal/fault"
	"inos/internal/identity"
)

// ErrPolicyInvalid: the policy does not parse, or contradicts itself or its limits. Advice: correct what the
// message names: [policy.md](policy.md).
var ErrPolicyInvalid = fault.Final("policy_invalid", "governance: invalid policy")

// maxPolicyItems bounds every list of a policy.
const maxPolicyItems = 4096

// Check returns nil if p can be put in force. Errors match ErrPolicyInvalid and name the rule.
func (p Policy) Check() error {
	for i := range policyRules {
		if err := policyRules[i].check(&p); err != nil {
			return fmt.Errorf("%w: %s %w", ErrPolicyInvalid, strings.ReplaceAll(policyRules[i].name, "-", " "), err)
		}
	}
	if w := p.withDefaults(); w.DefaultDeadline > w.MaxDeadline {
		return fmt.Errorf("%w: default deadline %v exceeds the maximum %v", ErrPolicyInvalid, w.DefaultDeadline, w.MaxDeadline)
	}
	seen := make(map[identity.LedgerID]bool, len(p.Ledgers))
	for _, l := range p.Ledgers {
		if seen[l.Ledger] {
			return fmt.Errorf("%w: ledger %s has two rules", ErrPolicyInvalid, l.Ledger)
		}
		seen[l.Ledger] = true
	}
	return nil
}

// IsGeoHash reports whether s is a GeoHash or a prefix of one: 1 to 12 of its base32 digits.
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
