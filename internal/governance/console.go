package governance

import (
	"crypto/ed25519"
	"fmt"
	"io"

	"inos/internal/identity"
)

// ShowPolicy prints p with its defaults as text: `inos policy show`.
func ShowPolicy(w io.Writer, p Policy) error {
	_, err := io.WriteString(w, p.InForce())
	return err
}

// CheckPolicy parses text and prints the result: `inos policy check`. Errors match
// ErrPolicyInvalid and name the line.
func CheckPolicy(w io.Writer, text string) (Policy, error) {
	p, err := ParsePolicy(text)
	if err != nil {
		return Policy{}, err
	}
	_, err = fmt.Fprintf(w, "ok: policy %q, version %d\n", p.Name, p.Version)
	return p, err
}

// SignPolicy parses text and signs it: `inos policy sign`.
func SignPolicy(text string, codec PolicyCodec, key ed25519.PrivateKey) ([]byte, error) {
	p, err := ParsePolicy(text)
	if err != nil {
		return nil, err
	}
	return codec.SealPolicy(p, key)
}

// ShowSigned verifies a signed policy and prints its signer and its text.
func ShowSigned(w io.Writer, raw []byte, codec PolicyCodec) (Policy, identity.PeerID, error) {
	p, signer, err := codec.OpenPolicy(raw)
	if err != nil {
		return Policy{}, "", fmt.Errorf("%w: %w", ErrPolicyInvalid, err)
	}
	if _, err = fmt.Fprintf(w, "# signed by %s\n", signer); err != nil {
		return Policy{}, "", err
	}
	return p, signer, ShowPolicy(w, p)
}

// Short returns the decision in one word: the code of a rejection, or the rule.
func (d Decision) Short() string {
	if d.Code != "" {
		return d.Code
	}
	return d.Rule
}
