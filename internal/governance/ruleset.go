package governance

import (
	"slices"
	"strings"
	"time"

	"inos/internal/capsule"
	"inos/internal/fault"
	"inos/internal/identity"
)

// ruleset is a policy made ready to be asked: immutable, swapped as a whole.
type ruleset struct {
	policy     Policy // with defaults filled in
	stated     Policy // as it was given
	capsules   map[string]bool
	denied     map[string]bool
	publishers map[identity.PeerID]bool
	allowCaps  map[string]bool
	denyCaps   map[string]bool
	ledgers    map[identity.LedgerID]LedgerRule
	prepared   map[*fault.Error]*Rejection
	missing    *Rejection // the rejection that must cost nothing
}

func compile(p Policy) (*ruleset, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	r := &ruleset{policy: p.withDefaults(), stated: p, prepared: make(map[*fault.Error]*Rejection)}
	for _, s := range []*fault.Error{ErrLedgerMalformed, ErrIDMalformed, ErrTypeMalformed, ErrTimestampSkew, ErrTraceMalformed, ErrFieldTooLong, ErrDeadlinePassed,
		ErrOverBudget, ErrOverPriority, ErrOverDeadline, ErrCapsuleDenied, ErrPublisherDenied, ErrCapabilityDenied, ErrResidency,
		ErrCommandDenied, ErrLedgerDenied, ErrQuietHours, ErrRateExceeded, ErrTooMany, ErrLedgerUnknown, ErrLedgerRevoked,
		ErrLedgerExhausted, ErrVoucherMissing} {
		r.prepared[s] = reject(s, p.Version, "")
	}
	r.missing = reject(ErrNoLedger, p.Version, "")
	cids := func(list []capsule.CID) map[string]bool {
		m := make(map[string]bool, len(list))
		for _, c := range list {
			m[c.String()] = true
		}
		return m
	}
	words := func(list []string) map[string]bool {
		m := make(map[string]bool, len(list))
		for _, s := range list {
			m[s] = true
		}
		return m
	}
	r.capsules, r.denied = cids(p.Capsules), cids(p.DenyCapsules)
	r.allowCaps, r.denyCaps = words(p.Capabilities), words(p.DenyCapabilities)
	r.publishers = make(map[identity.PeerID]bool, len(p.Publishers))
	for _, id := range p.Publishers {
		r.publishers[id] = true
	}
	r.ledgers = make(map[identity.LedgerID]LedgerRule, len(p.Ledgers))
	for _, l := range p.Ledgers {
		r.ledgers[l.Ledger] = l
	}
	return r, nil
}

// fixed is a rejection without detail, prepared when the policy was compiled.
func (r *ruleset) fixed(s *fault.Error) *Rejection {
	if p := r.prepared[s]; p != nil {
		return p
	}
	return reject(s, r.policy.Version, "")
}

// ceiling is the most a job of this ledger may cost.
func (r *ruleset) ceiling(l identity.LedgerID) uint64 {
	if o, ok := r.ledgers[l]; ok && o.Budget > 0 {
		return o.Budget
	}
	return r.policy.Budget
}

// resident reports whether a place, or all that starts with a prefix, lies where
// data may.
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
