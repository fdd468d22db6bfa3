package credit

import "crypto/sha256"

// network identifies the network that an unproven account's first voucher came from: the
// beginning of the SHA-256 of its text. The account's entry holds it, so that after a restart
// the shared line is still divided by network.
type network [len(Nonce{})]byte

// networkOf returns the network called origin. Without one the ledger is a network of its own.
func networkOf(origin string, ledger key) network {
	if origin == "" {
		origin = string(ledger[:])
	}
	sum := sha256.Sum256([]byte(origin))
	return network(sum[:])
}

// opensOn returns the network of an entry that opens an unproven account. Entries of older logs
// have none.
func opensOn(e *entry) network {
	if e.nonce == (Nonce{}) {
		return networkOf("", e.ledger)
	}
	return network(e.nonce)
}
