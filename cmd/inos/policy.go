package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/wire"
)

const policyUsage = "usage: inos policy {show SIGNED | check TEXT | sign -key FILE -out SIGNED TEXT}"

func runPolicy(_ context.Context, args []string, out, diag io.Writer) error {
	if len(args) == 0 {
		fmt.Fprintln(diag, policyUsage)
		return errUsage
	}
	set := flag.NewFlagSet("policy "+args[0], flag.ContinueOnError)
	set.SetOutput(diag)
	key := set.String("key", "", "sign: key file")
	to := set.String("out", "", "sign: file of the signed policy")
	if err := set.Parse(args[1:]); err != nil {
		return errUsage
	}
	if args[0] == "show" && set.NArg() == 0 {
		return governance.ShowPolicy(out, governance.Policy{})
	}
	if set.NArg() != 1 {
		fmt.Fprintln(diag, policyUsage)
		return errUsage
	}
	text, err := os.ReadFile(set.Arg(0))
	if err != nil {
		return err
	}
	switch args[0] {
	case "show":
		_, _, err := governance.ShowSigned(out, text, wire.Policies{})
		return err
	case "check":
		_, err := governance.CheckPolicy(out, string(text))
		return err
	case "sign":
		return signPolicy(string(text), *key, *to, diag)
	}
	fmt.Fprintf(diag, "inos policy: no command %q\n%s\n", args[0], policyUsage)
	return errUsage
}

func signPolicy(text, keyPath, to string, diag io.Writer) error {
	if keyPath == "" || to == "" {
		fmt.Fprintln(diag, policyUsage)
		return errUsage
	}
	key, err := haveKey(keyPath)
	if err != nil {
		return err
	}
	signed, err := governance.SignPolicy(text, wire.Policies{}, key)
	if err != nil {
		return err
	}
	return os.WriteFile(to, signed, 0o644)
}

// loadPolicy reads a signed policy that one of signers must have signed. No path
// means the default policy.
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
	return governance.Policy{}, fmt.Errorf("%s: %w: %s (allow it with -policy-signer)", path, governance.ErrPolicySigner, signer)
}
