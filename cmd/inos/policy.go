package main

import (
	"fmt"
	"os"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/wire"
)

type (
	policyCmd struct {
		Show  showPolicyCmd  `cmd:"" help:"Print a signed policy and who signed it, or the default one with the figures that it means."`
		Check checkPolicyCmd `cmd:"" help:"Read a policy written as text and name the line that is wrong."`
		Sign  signPolicyCmd  `cmd:"" help:"Sign a policy written as text."`
	}
	showPolicyCmd struct {
		File string `arg:"" optional:"" help:"Signed policy; none: the default one."`
	}
	checkPolicyCmd struct {
		File string `arg:"" help:"Policy as text."`
	}
	signPolicyCmd struct {
		File string `arg:"" help:"Policy as text."`
		Key  string `required:"" placeholder:"FILE" help:"Key file to sign with (inos id --make)."`
		Out  string `required:"" placeholder:"FILE" help:"File to write, for inos node --policy."`
	}
)

func (c *showPolicyCmd) Run(s *session) error {
	if c.File == "" {
		return governance.ShowPolicy(s.out, governance.Policy{})
	}
	raw, err := os.ReadFile(c.File)
	if err == nil {
		_, _, err = governance.ShowSigned(s.out, raw, wire.Policies{})
	}
	return err
}

func (c *checkPolicyCmd) Run(s *session) error {
	text, err := os.ReadFile(c.File)
	if err == nil {
		_, err = governance.CheckPolicy(s.out, string(text))
	}
	return err
}

func (c *signPolicyCmd) Run(*session) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	key, err := haveKey(c.Key)
	if err != nil {
		return err
	}
	signed, err := governance.SignPolicy(string(text), wire.Policies{}, key)
	if err != nil {
		return err
	}
	return os.WriteFile(c.Out, signed, 0o644)
}

// loadPolicy reads a policy that one of signers must have signed. An empty path means the default
// policy.
func loadPolicy(path string, signers []string) (governance.Policy, error) {
	if path == "" {
		return governance.Policy{}, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return governance.Policy{}, err
	}
	p, signer, err := wire.Policies{}.OpenPolicy(raw)
	if err != nil {
		return governance.Policy{}, fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range signers {
		if identity.PeerID(s) == signer {
			return p, nil
		}
	}
	return governance.Policy{}, fmt.Errorf("%s: %w: %s (allow it with --policy-signer)", path, governance.ErrPolicySigner, signer)
}
