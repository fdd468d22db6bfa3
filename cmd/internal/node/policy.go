package node

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/wire"
)

// policyKey is the key of the last policy put in force, signed by this node's own key.
const policyKey = "policy/in-force"

// Replace puts p in force, completely or not at all, and stores it: an older policy is refused
// after a restart, too. Errors match governance's ErrPolicyInvalid or ErrPolicyStale; with any
// error the policy in force stays.
func (n *Node) Replace(p governance.Policy) (governance.Enforced, error) {
	changes, looked, err := n.Gate.DryRun(p)
	if err != nil {
		return governance.Enforced{}, err
	}
	if err := n.Gate.Replace(p); err != nil {
		return governance.Enforced{}, err
	}
	return governance.Enforced{Policy: p, Changes: changes, Looked: looked}, n.keepPolicy(p)
}

// Enforce does what Replace does, for a policy written as text. Errors that match
// governance.ErrPolicyInvalid name the line.
func (n *Node) Enforce(text string) (governance.Enforced, error) {
	p, err := governance.ParsePolicy(text)
	if err != nil {
		return governance.Enforced{}, err
	}
	return n.Replace(p)
}

func (n *Node) keepPolicy(p governance.Policy) error {
	if n.keep == nil || p.Version == 0 {
		return nil
	}
	raw, err := wire.Policies{}.SealPolicy(p, n.key)
	if err == nil {
		err = n.keep.Put(policyKey, raw)
	}
	if err != nil {
		return fmt.Errorf("node: the policy is in force, but not kept: %w", err)
	}
	return nil
}

// policyAtStart is the policy to start with: given or, with goOn and without a given one, the last
// one put in force. given must not be older than that one.
func (n *Node) policyAtStart(given governance.Policy, goOn bool) (governance.Policy, error) {
	if n.keep == nil {
		return given, nil
	}
	raw, ok := n.keep.Get(policyKey)
	if !ok {
		return given, n.keepPolicy(given)
	}
	last, signer, err := wire.Policies{}.OpenPolicy(raw)
	if err == nil && signer != n.self() {
		err = errors.New("it is signed by another")
	}
	switch {
	case err != nil:
		return given, fmt.Errorf("node: the policy that was kept: %w", err)
	case given.Version == 0 && goOn:
		return last, nil
	case given.Version > 0 && given.Version < last.Version:
		return given, fmt.Errorf("node: %w: version %d, %d was in force", governance.ErrPolicyStale, given.Version, last.Version)
	}
	return given, n.keepPolicy(given)
}

func (n *Node) self() identity.PeerID {
	return identity.PeerIDOf(n.key.Public().(ed25519.PublicKey))
}
