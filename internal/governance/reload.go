package governance

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"inos/internal/fault"
	"inos/internal/identity"
)

// PolicyCodec writes and reads signed policies. internal/wire has the one that
// travels. OpenPolicy checks the signature and returns who signed.
type PolicyCodec interface {
	SealPolicy(Policy, ed25519.PrivateKey) ([]byte, error)
	OpenPolicy([]byte) (Policy, identity.PeerID, error)
}

// Why a policy was not taken; all final for the document. The policy in force
// stays.
var (
	// ErrPolicySigner: the policy is not signed by anybody who may. Advice: have one of the node's policy signers
	// sign it.
	ErrPolicySigner = fault.Final("policy_signer", "governance: policy is not signed by anybody who may")
	// ErrPolicyStale: the policy is not newer than the one in force. Advice: raise its version.
	ErrPolicyStale = fault.Final("policy_stale", "governance: policy is not newer than the one in force")
)

// Replace puts p in force, whole or not at all: every Admit runs under one policy
// or the other. p.Version must be higher than the one in force. Errors match
// ErrPolicyInvalid or ErrPolicyStale.
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

// ReplaceSigned is Replace for a signed document. signers may sign; nobody else.
// A document that does not parse or verify leaves the policy in force as it is.
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

// Change is what another policy would have made of a job.
type Change struct {
	JobID  string
	Before Decision
	After  Decision
}

// Enforced is a policy put in force, and what it would have decided about the jobs
// remembered: DryRun's answer from just before.
type Enforced struct {
	Policy  Policy
	Changes []Change
	Looked  int
}

// Undecided is the Rule of a Decision that a dry run cannot reach, because it
// depends on money or on what else was running then.
const Undecided = "undecided"

// DryRun tells what candidate would have decided about the jobs remembered,
// newest first, where it differs from what was decided. It checks the DNA and the
// policy's predicates as of each job's own time; rate, concurrency and credit are
// not replayed. looked is how many jobs it could look at. Errors match
// ErrPolicyInvalid.
func (g *Gate) DryRun(candidate Policy) (changes []Change, looked int, err error) {
	r, err := compile(candidate)
	if err != nil {
		return nil, 0, err
	}
	g.history.newest(func(s *remembered) bool {
		if s.early {
			return true // refused for what no policy allows
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
