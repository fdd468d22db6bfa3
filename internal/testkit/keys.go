// Package testkit is what the tests of several packages share: keys by number, and a
// Keeper in memory. It imports no package but identity, so that those of every other can
// use it; what needs more stands in a package below it, by subject. Only tests import it.
package testkit

import (
	"crypto/ed25519"

	"inos/internal/identity"
)

// Key is the private key number n: the same in every test, and no secret.
func Key(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

// PublicKey is the public key number n.
func PublicKey(n byte) ed25519.PublicKey { return Key(n).Public().(ed25519.PublicKey) }

// Peer is the id of the node with key number n.
func Peer(n byte) identity.PeerID { return identity.PeerIDOf(PublicKey(n)) }

// Ledger is the id of the ledger with key number n.
func Ledger(n byte) identity.LedgerID { return identity.LedgerIDOf(PublicKey(n)) }
