package governance

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"inos/internal/fault"
	"inos/internal/identity"
)

// PolicyCodec writes and reads signed policies. internal/wire has the one for the network.
// OpenPolicy checks the signature and returns the signer.
type PolicyCodec interface {
	SealPolicy(Policy, ed25519.PrivateKey) ([]byte, error)
	OpenPolicy([]byte) (Policy, identity.PeerID, error)
}

// Errors of replacing a policy, all final for the document. The policy in force stays.
var (
	// ErrPolicySigner: the policy is not signed by anybody who may. Advice: have one of the node's policy signers
	// sign it.
	ErrPolicySigner = fault.Final("policy_signer", "governance: policy is not signed by anybody who may")
	// ErrPolicyStale: the policy is not newer than the one in force. Advice: raise its version.
	ErrPolicyStale = fault.Final("policy_stale", "governance: policy is not newer than the one in force")
)

// Replace puts p in force atomically: every Admit runs under the old policy or the new one.
// p.Version must be higher than the one in force. Errors match ErrPolicyInvalid or
// ErrPolicyStale.
func (g *Gate) Replace(p Policy) error {
	r, err := compile(p)
	if err != nil {
		return err
	}
	for {
		old := g.rules.Load()
		if p.Version <= old.policy.Version {
			return fmt.Errorf("%w: version %d, in force is %d", ErrPolicyStale, p.Version, old.policy.Version)
		}
		if g.rules.CompareAndSwap(old, r) {
			return nil
		}
	}
}

// ReplaceSigned is Replace for a document signed by one of signers. A document that does not
// parse or verify leaves the policy in force unchanged.
func (g *Gate) ReplaceSigned(raw []byte, codec PolicyCodec, signers []identity.PeerID) error {
	p, signer, err := codec.OpenPolicy(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPolicyInvalid, err)
	}
	if !slices.Contains(signers, signer) {
		return fmt.Errorf("%w: %s", ErrPolicySigner, signer)
	}
	return g.Replace(p)
}

// Change is a job that another policy would have decided differently.
type Change struct {
	JobID  string
	Before Decision
	After  Decision
}

// Enforced is a policy put in force, and DryRun's result from just before.
type Enforced struct {
	Policy  Policy
	Changes []Change
	Looked  int
}

// Undecided is the Rule of a Decision that a dry run cannot make, because it depends on money or
// on what else was running then.
const Undecided = "undecided"

// DryRun returns what candidate would have decided about the remembered jobs, newest first,
// where that differs from the actual decision. It checks the DNA and the policy's predicates as
// of each job's own time. It does not replay rate, concurrency and credit. looked is how many
// jobs it could check. Errors match ErrPolicyInvalid.
func (g *Gate) DryRun(candidate Policy) (changes []Change, looked int, err error) {
	r, err := compile(candidate)
	if err != nil {
		return nil, 0, err
	}
	g.history.newest(func(s *remembered) bool {
		if s.early {
			return true // no policy allows it
		}
		looked++
		job := s.job()
		rej := r.checkTime(s.skew)
		if rej == nil {
			rej = r.checkPresent(s.present)
		}
		if rej == nil {
			rej = r.checkPolicy(&job, s.ledger, instant(s.at))
		}
		if rej == nil && s.capsuleOf != nil {
			rej = r.checkManifest(&s.capsuleOf.manifest, s.capsuleOf.publisher)
		}
		before := s.decision()
		after := before
		after.PolicyVersion = candidate.Version
		switch {
		case rej != nil:
			after.Rule, after.Code, after.Detail = rej.Rule, rej.Code, rej.Error()
		case s.rej != nil && s.rej.predicate():
			after.Rule, after.Code, after.Detail = Undecided, "", "no rule objects; rate, concurrency and credit were not replayed"
		}
		if after.Rule != before.Rule || after.Code != before.Code {
			changes = append(changes, Change{JobID: before.JobID, Before: before, After: after})
		}
		return true
	})
	return changes, looked, nil
}

// predicate reports whether r came from a rule that a dry run replays.
func (r *Rejection) predicate() bool {
	switch r.kind {
	case ErrRateExceeded, ErrTooMany:
		return false
	}
	return r.cause == nil
}
