package credit

import "crypto/sha256"

// network names the network that a stranger's first voucher came from: the beginning of the
// SHA-256 of its text. It is written with the account, so that after a restart it is known
// who shares the strangers' line with whom.
type network [len(Nonce{})]byte

// networkOf is the network called origin; where none is known the ledger has one of its own.
func networkOf(origin string, ledger key) network {
	if origin == "" {
		origin = string(ledger[:])
	}
	sum := sha256.Sum256([]byte(origin))
	return network(sum[:])
}

// opensOn is the network that an entry opens a stranger's account on. One that was written
// before there was such a thing says none.
func opensOn(e *entry) network {
	if e.nonce == (Nonce{}) {
		return networkOf("", e.ledger)
	}
	return network(e.nonce)
}
