// Package testkit is what the tests of several packages share: keys by number and by name,
// fixed balances, UUIDs, and a KVStore in memory. It imports no package but fault and
// identity, so that those of every other can use it; what needs more stands in a package
// below it, by subject. Only tests import it.
package testkit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"inos/internal/identity"
)

// Key is the private key number n: the same in every test, and no secret.
func Key[N byte | int](n N) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.LittleEndian.PutUint32(seed, uint32(n))
	return ed25519.NewKeyFromSeed(seed)
}

// PublicKey is the public key number n.
func PublicKey[N byte | int](n N) ed25519.PublicKey { return publicOf(Key(n)) }

// Peer is the id of the node with key number n.
func Peer[N byte | int](n N) identity.PeerID { return identity.PeerIDOf(PublicKey(n)) }

// Ledger is the id of the ledger with key number n.
func Ledger[N byte | int](n N) identity.LedgerID { return identity.LedgerIDOf(PublicKey(n)) }

// named remembers what NamedKey made: on js/wasm each costs a millisecond.
var named sync.Map

// NamedKey is the private key called name: the same in every test, and no secret.
func NamedKey(name string) ed25519.PrivateKey {
	if k, ok := named.Load(name); ok {
		return k.(ed25519.PrivateKey)
	}
	seed := sha256.Sum256([]byte(name))
	k := ed25519.NewKeyFromSeed(seed[:])
	named.Store(name, k)
	return k
}

// NamedPeer is the id of the node with the key called name.
func NamedPeer(name string) identity.PeerID { return identity.PeerIDOf(publicOf(NamedKey(name))) }

// NamedLedger is the id of the ledger with the key called name.
func NamedLedger(name string) identity.LedgerID { return identity.LedgerIDOf(publicOf(NamedKey(name))) }

func publicOf(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }
