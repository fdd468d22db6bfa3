package governance

import (
	"slices"
	"time"

	"inos/internal/capsule"
	"inos/internal/identity"
)

// Command returns nil if from may give a lifecycle command. The local console (from is zero) may
// give any command, and so may the node that spawned the capsule (owner). Others may give those
// that the policy's lifecycle rules allow. owner is zero for a Spawn. Errors are *Rejection and
// match ErrCommandDenied.
func (g *Gate) Command(from, owner identity.PeerID, c capsule.CommandType) error {
	if from == "" || from == owner {
		return nil
	}
	r := g.rules.Load()
	for _, l := range r.policy.Lifecycle {
		if (l.Peer == "" || l.Peer == from) && (len(l.Commands) == 0 || slices.Contains(l.Commands, c)) {
			return nil
		}
	}
	return r.fixed(ErrCommandDenied)
}

// Capabilities returns nil if a capsule spawned here may use the capabilities names. Errors are
// *Rejection and match ErrCapabilityDenied.
func (g *Gate) Capabilities(names []string) error {
	if rej := g.rules.Load().checkCapabilities(names); rej != nil {
		return rej
	}
	return nil
}

func (r *ruleset) checkCapabilities(names []string) *Rejection {
	for _, c := range names {
		if r.denyCaps[c] || (len(r.allowCaps) > 0 && !r.allowCaps[c]) {
			return reject(ErrCapabilityDenied, r.policy.Version, c)
		}
	}
	return nil
}

// Capsule returns nil if a capsule whose manifest publisher signed may be started here. Errors
// are *Rejection and match ErrCapsuleDenied, ErrPublisherDenied, ErrCapabilityDenied or
// ErrOverLimit.
func (g *Gate) Capsule(m capsule.Manifest, publisher identity.PeerID) error {
	r := g.rules.Load()
	if rej := r.checkManifest(&m, publisher); rej != nil {
		return rej
	}
	return nil
}

// Trusts reports whether the policy allows publisher's capsules by name.
func (g *Gate) Trusts(publisher identity.PeerID) bool { return g.rules.Load().publishers[publisher] }

// Start is Capsule for the module of an admitted job. It is called before each run, and Why and
// DryRun use its result.
func (g *Gate) Start(a Admitted, m capsule.Manifest, publisher identity.PeerID) error {
	r := g.rules.Load()
	rej := r.checkManifest(&m, publisher)
	if a.a != nil {
		g.history.starting(a.a, published{m, publisher}, rej)
	}
	if rej != nil {
		return rej
	}
	return nil
}

func (r *ruleset) checkManifest(m *capsule.Manifest, publisher identity.PeerID) *Rejection {
	cid := m.CID.String()
	if r.denied[cid] || (len(r.capsules) > 0 && !r.capsules[cid]) {
		return r.fixed(ErrCapsuleDenied)
	}
	if len(r.publishers) > 0 && !r.publishers[publisher] {
		return r.fixed(ErrPublisherDenied)
	}
	if rej := r.checkCapabilities(m.Capabilities); rej != nil {
		return rej
	}
	if m.MemoryLimit > r.policy.MaxMemory {
		return reject(ErrOverLimit, r.policy.Version, "memory")
	}
	if m.TimeLimit > r.policy.MaxRun {
		return reject(ErrOverLimit, r.policy.Version, "time")
	}
	return nil
}

// Limits returns the most that a run may have here, in bytes of memory and in time, whatever its
// manifest says.
func (g *Gate) Limits() (memory uint64, run time.Duration) {
	p := g.rules.Load().policy
	return p.MaxMemory, p.MaxRun
}

// Resident returns nil if data of this node may be on a node at geoHash, which is "" when
// unknown. Errors are *Rejection and match ErrResidency.
func (g *Gate) Resident(geoHash string) error {
	if r := g.rules.Load(); !r.resident(geoHash) {
		return r.fixed(ErrResidency)
	}
	return nil
}

// Message checks the DNA of a message that is not a job. Its ledger id may be empty, since a
// message costs nothing. Errors are *Rejection and match ErrDNA or ErrMetadataMissing.
func (g *Gate) Message(env Envelope, now time.Time) error {
	r := g.rules.Load()
	if l := env.Metadata.CreditLedgerID; l != "" && !ledgerShape(l) {
		return r.fixed(ErrLedgerMalformed)
	}
	if _, rej := r.checkEnvelope(&env, now); rej != nil {
		return rej
	}
	if rej := r.checkRequired(&env); rej != nil {
		return rej
	}
	return nil
}
