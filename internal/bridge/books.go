package bridge

import (
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
)

// changes are the console's changes of a ledger on this node's books. amount marks those that take
// an amount, in microcredits.
var changes = map[string]struct {
	amount bool
	do     func(l *credit.Ledger, of identity.LedgerID, amount uint64, now time.Time) error
}{
	"grant":    {true, (*credit.Ledger).Grant},
	"withdraw": {true, (*credit.Ledger).Withdraw},
	"line":     {true, (*credit.Ledger).OpenAccount},
	"revoke": {false, func(l *credit.Ledger, of identity.LedgerID, _ uint64, now time.Time) error {
		return l.Revoke(of, now)
	}},
	"restore": {false, func(l *credit.Ledger, of identity.LedgerID, _ uint64, now time.Time) error {
		return l.Restore(of, now)
	}},
}
