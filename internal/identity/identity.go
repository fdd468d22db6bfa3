// Package identity converts Ed25519 keys to the texts that name nodes and ledgers, and back. It
// stores no keys and does no I/O.
package identity

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"

	"github.com/mr-tron/base58"

	"inos/internal/fault"
)

// PeerID is a libp2p peer id in its base58 text form ("12D3KooW..."). For the
// Ed25519 keys used here it holds the whole public key, as an identity multihash
// (libp2p specs, peer-ids/peer-ids.md). The zero value names nobody.
type PeerID string

// LedgerPrefix precedes a peer id in a credit ledger id.
const LedgerPrefix = "ledger:"

// LedgerID names the credit ledger that an Ed25519 key owns: LedgerPrefix and
// the key's peer id.
type LedgerID string

// Errors of this package. All are final for the text they were given.
var (
	ErrPeerID   = fault.Internal("identity: not an Ed25519 peer id")
	ErrLedgerID = fault.Internal("identity: not a ledger id")
)

// multihashHeader is identity code 0x00, length 36, then the protobuf of a
// libp2p public key: field 1 (type) = 1 (Ed25519), field 2 (data), 32 bytes.
var multihashHeader = []byte{0x00, 36, 0x08, 0x01, 0x12, ed25519.PublicKeySize}

// PeerIDOf returns the peer ID of pub's owner.
func PeerIDOf(pub ed25519.PublicKey) PeerID {
	raw := make([]byte, 0, len(multihashHeader)+ed25519.PublicKeySize)
	raw = append(raw, multihashHeader...)
	raw = append(raw, pub...)
	return PeerID(base58.Encode(raw))
}

// PublicKey returns the key inside p, or an error that matches ErrPeerID.
func (p PeerID) PublicKey() (ed25519.PublicKey, error) {
	// The longest base58 of 38 bytes has 52 digits; longer input is refused
	// before base58's quadratic decoding sees it.
	if len(p) == 0 || len(p) > 52 {
		return nil, fmt.Errorf("%w: %d characters", ErrPeerID, len(p))
	}
	raw, err := base58.Decode(string(p))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrPeerID, err)
	}
	if len(raw) != len(multihashHeader)+ed25519.PublicKeySize || !bytes.HasPrefix(raw, multihashHeader) {
		return nil, fmt.Errorf("%w: %q", ErrPeerID, string(p))
	}
	return ed25519.PublicKey(raw[len(multihashHeader):]), nil
}

// LedgerIDOf returns the ID of the ledger that pub owns.
func LedgerIDOf(pub ed25519.PublicKey) LedgerID {
	return LedgerID(LedgerPrefix + string(PeerIDOf(pub)))
}

// PublicKey returns the key that owns l, or an error that matches ErrLedgerID.
func (l LedgerID) PublicKey() (ed25519.PublicKey, error) {
	rest, ok := strings.CutPrefix(string(l), LedgerPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: no %q prefix", ErrLedgerID, LedgerPrefix)
	}
	pub, err := PeerID(rest).PublicKey()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrLedgerID, err)
	}
	return pub, nil
}
