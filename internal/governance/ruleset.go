package governance

import (
	"slices"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/identity"
)

// Rejections by the rules of a policy.
var (
	// ErrMetadataMissing: the policy requires a metadata field that is empty. Advice: fill in what the message names.
	ErrMetadataMissing = fault.Final("metadata_missing", "governance: a required metadata field is empty")
	// ErrOverBudget: the budget exceeds the policy's ceiling. Advice: set a smaller `budget`: [policy.md](policy.md).
	ErrOverBudget = fault.Final("over_budget", "governance: budget exceeds the policy's ceiling")
	// ErrOverPriority: the priority exceeds the policy's ceiling. Advice: set a lower `priority`.
	ErrOverPriority = fault.Final("over_priority", "governance: priority exceeds the policy's ceiling")
	// ErrOverDeadline: the deadline lies beyond the policy's. Advice: set a nearer deadline.
	ErrOverDeadline = fault.Final("over_deadline", "governance: deadline lies beyond the policy's")
	// ErrOverLimit: the memory or time limit exceeds the policy's. Advice: set smaller limits.
	ErrOverLimit = fault.Final("over_limit", "governance: memory or time limit exceeds the policy's")
	// ErrCapsuleDenied: the policy does not allow the capsule. Advice: use another capsule or node, or change the
	// policy: [policy.md](policy.md).
	ErrCapsuleDenied = fault.Final("capsule_denied", "governance: capsule is not allowed")
	// ErrPublisherDenied: the policy does not allow the capsule's publisher. Advice: use another capsule or node,
	// or change the policy: [policy.md](policy.md).
	ErrPublisherDenied = fault.Final("publisher_denied", "governance: publisher is not allowed")
	// ErrCapabilityDenied: the policy does not allow the capability. Advice: ask for another, or change the
	// policy: [policy.md](policy.md).
	ErrCapabilityDenied = fault.Final("capability_denied", "governance: capability is not allowed")
	// ErrResidency: the job may leave the region that its data must stay in. Advice: require that region with `geo`.
	ErrResidency = fault.Final("residency", "governance: job may leave the region its data must stay in")
	// ErrCommandDenied: the sender may not give this command. Advice: give it from the node that spawned the
	// capsule, or change the policy: [policy.md](policy.md).
	ErrCommandDenied = fault.Final("command_denied", "governance: the sender may not give this command")
	// ErrLedgerDenied: the policy denies this ledger. Advice: pay with another ledger.
	ErrLedgerDenied = fault.Final("ledger_denied", "governance: the policy denies this ledger")
	// ErrQuietHours: the node takes no such jobs in the policy's quiet hours. Advice: try again when they are over, or elsewhere.
	ErrQuietHours = fault.Retryable("quiet_hours", "governance: quiet hours")
	// ErrRateExceeded: the ledger sends jobs faster than the policy allows. Advice: send them more slowly.
	ErrRateExceeded = fault.Retryable("rate_exceeded", "governance: ledger sends jobs too fast")
	// ErrTooMany: the ledger has as many jobs running as the policy allows. Advice: await some of them first.
	ErrTooMany = fault.Retryable("concurrency_exceeded", "governance: ledger has too many jobs running")
)

// policyRuleOf maps an error to the name of its rule.
var policyRuleOf = map[*fault.Error]string{
	ErrMetadataMissing:  "policy.required",
	ErrOverBudget:       "policy.budget",
	ErrOverPriority:     "policy.priority",
	ErrOverDeadline:     "policy.deadline",
	ErrOverLimit:        "policy.limit",
	ErrCapsuleDenied:    "policy.capsule",
	ErrPublisherDenied:  "policy.publisher",
	ErrCapabilityDenied: "policy.capability",
	ErrResidency:        "policy.residency",
	ErrCommandDenied:    "policy.lifecycle",
	ErrLedgerDenied:     "policy.ledger",
	ErrQuietHours:       "policy.quiet",
	ErrRateExceeded:     "policy.rate",
	ErrTooMany:          "policy.concurrency",
}

// ruleset is a policy compiled for checking: immutable, replaced as a whole.
type ruleset struct {
	policy     Policy // with defaults filled in
	stated     Policy // without defaults filled in
	capsules   map[string]bool
	denied     map[string]bool
	publishers map[identity.PeerID]bool
	allowCaps  map[string]bool
	denyCaps   map[string]bool
	ledgers    map[identity.LedgerID]LedgerRule
	prepared   map[*fault.Error]*Rejection
	missing    *Rejection // prepared, since it must cost nothing
}

func compile(p Policy) (*ruleset, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	r := &ruleset{policy: p.withDefaults(), stated: p, prepared: make(map[*fault.Error]*Rejection)}
	for _, rules := range []map[*fault.Error]string{dnaRules, policyRuleOf} {
		for s := range rules {
			r.prepared[s] = reject(s, p.Version, "")
		}
	}
	for _, s := range creditSentinels {
		r.prepared[s] = reject(s, p.Version, "")
	}
	r.missing = r.prepared[ErrNoLedger]
	same := func(s string) string { return s }
	r.capsules, r.denied = setOf(p.Capsules, capsule.CID.String), setOf(p.DenyCapsules, capsule.CID.String)
	r.allowCaps, r.denyCaps = setOf(p.Capabilities, same), setOf(p.DenyCapabilities, same)
	r.publishers = setOf(p.Publishers, func(id identity.PeerID) identity.PeerID { return id })
	r.ledgers = make(map[identity.LedgerID]LedgerRule, len(p.Ledgers))
	for _, l := range p.Ledgers {
		r.ledgers[l.Ledger] = l
	}
	return r, nil
}

func setOf[T any, K comparable](list []T, key func(T) K) map[K]bool {
	m := make(map[K]bool, len(list))
	for _, v := range list {
		m[key(v)] = true
	}
	return m
}

// fixed returns a rejection without detail, prepared when the policy was compiled.
func (r *ruleset) fixed(s *fault.Error) *Rejection {
	if p := r.prepared[s]; p != nil {
		return p
	}
	return reject(s, r.policy.Version, "")
}

// ceiling returns the most that a job of this ledger may cost, in microcredits.
func (r *ruleset) ceiling(l identity.LedgerID) uint64 {
	if o, ok := r.ledgers[l]; ok && o.Budget > 0 {
		return o.Budget
	}
	return r.policy.Budget
}

// resident reports whether a place, or every place with a prefix, lies where data may be.
func (r *ruleset) resident(geo string) bool {
	return len(r.policy.Residency) == 0 || slices.ContainsFunc(r.policy.Residency, func(p string) bool {
		return strings.HasPrefix(geo, p)
	})
}

// checkPolicy applies every rule that needs neither history nor money.
func (r *ruleset) checkPolicy(job *Job, ledger identity.LedgerID, now time.Time) *Rejection {
	if r.ledgers[ledger].Deny {
		return r.fixed(ErrLedgerDenied)
	}
	if r.denied[job.Capsule] || (len(r.capsules) > 0 && !r.capsules[job.Capsule]) {
		return r.fixed(ErrCapsuleDenied)
	}
	if job.Budget > r.ceiling(ledger) {
		return r.fixed(ErrOverBudget)
	}
	if job.Priority > r.policy.Priority {
		return r.fixed(ErrOverPriority)
	}
	if !job.Deadline.IsZero() && job.Deadline.Sub(now) > r.policy.MaxDeadline {
		return r.fixed(ErrOverDeadline)
	}
	if rej := r.checkCapabilities(job.Requirements.Capabilities); rej != nil {
		return rej
	}
	if !r.resident(job.Requirements.GeoPrefix) {
		return r.fixed(ErrResidency)
	}
	for _, q := range r.policy.Quiet {
		least := q.MinPriority
		if least == 0 {
			least = 255
		}
		if job.Priority < least && q.covers(now) {
			return r.fixed(ErrQuietHours)
		}
	}
	return nil
}
