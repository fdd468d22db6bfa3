package wire

import (
	"crypto/ed25519"
	"fmt"

	"inos/internal/fault"
	"inos/internal/identity"
	systemv1 "inos/schema/system/v1"
)

// Signature domains. A signature made for one is invalid in every other.
const (
	DomainProfile  = "inos/profile/1"
	DomainManifest = "inos/manifest/1"
	DomainVoucher  = "inos/voucher/1"
	DomainReceipt  = "inos/receipt/1"
	DomainCheque   = "inos/cheque/1"
	DomainPolicy   = "inos/policy/1"
	DomainOwner    = "inos/owner/1"
)

// ErrSignature says that a Signed message does not verify, or is of another domain than
// expected. Final.
var ErrSignature = fault.Internal("wire: signature does not verify")

// Seal signs payload for domain and returns a Signed message.
func Seal(domain string, payload []byte, key ed25519.PrivateKey) ([]byte, error) {
	sig := ed25519.Sign(key, signingInput(domain, payload))
	return build(systemv1.NewRootSigned, func(s systemv1.Signed, p *put) {
		p.do(s.SetDomain(domain))
		p.do(s.SetPayload(payload))
		p.do(s.SetPublicKey(key.Public().(ed25519.PublicKey)))
		p.do(s.SetSignature(sig))
	})
}

// Open checks that data is a Signed message of domain and returns a copy of its payload
// and its signer. Errors match ErrMalformed or ErrSignature.
func Open(domain string, data []byte) (payload []byte, signer identity.PeerID, err error) {
	var gotDomain string
	var in, pub, sig []byte
	err = parse(data, systemv1.ReadRootSigned, func(s systemv1.Signed, g *get) {
		gotDomain = g.text(s.Domain())
		raw, err := s.Payload()
		g.keep(err)
		in = signingInput(domain, raw) // a copy, like every slice of it
		pub = g.data(s.PublicKey())
		sig = g.data(s.Signature())
	})
	if err != nil {
		return nil, "", err
	}
	if gotDomain != domain {
		return nil, "", fmt.Errorf("%w: domain %.40q, want %q", ErrSignature, gotDomain, domain)
	}
	if len(pub) != ed25519.PublicKeySize || !ed25519.Verify(pub, in, sig) {
		return nil, "", ErrSignature
	}
	return in[len(domain)+1:], identity.PeerIDOf(pub), nil
}

func signingInput(domain string, payload []byte) []byte {
	in := make([]byte, 0, len(domain)+1+len(payload))
	in = append(in, domain...)
	in = append(in, 0)
	return append(in, payload...)
}
