package testkit

import (
	"time"

	"inos/internal/fault"
	"inos/internal/identity"
)

// Balances is a governance.Ledgers of fixed balances, in microcredits: nothing is ever taken
// from them, and no voucher is looked at.
type Balances map[identity.LedgerID]uint64

// Authorize covers amount, or at amount 0 as much as there is, at most ceiling. Errors have
// the codes ledger_unknown and ledger_exhausted.
func (b Balances) Authorize(ledger identity.LedgerID, _ string, _ []byte, _, _ identity.PeerID, _ string, amount, ceiling uint64, _ time.Duration, _ time.Time) (uint64, error) {
	balance, ok := b[ledger]
	if !ok {
		return 0, fault.Lookup("ledger_unknown")
	}
	if amount == 0 {
		amount = min(balance, ceiling)
	}
	if amount > balance || amount == 0 {
		return 0, fault.Lookup("ledger_exhausted")
	}
	return amount, nil
}
