package console

// The state of a ledger on this node's books, in microcredits.
type BalanceRow struct {
	Ledger string `json:"ledger"`
	Own    bool   `json:"own"`
	// Negative: a debt on the credit line.
	Balance int64 `json:"balance"`
	// Promised by its owner's cheques that are not redeemed; this much less is available.
	Promised  uint64 `json:"promised"`
	Held      uint64 `json:"held"`
	Line      uint64 `json:"line"`
	Available uint64 `json:"available"`
	State     string `json:"state" ts:"'open' | 'revoked' | 'stranger'"`
}

// One entry of the ledger's log.
type LedgerEntry struct {
	Entry uint64 `json:"entry"`
	// RFC 3339.
	At string `json:"at"`
	// `let-go`: this entry and all before it are no longer kept; only its number, time and hash are.
	Kind string `json:"kind"`
	// In microcredits, like the cost.
	Amount uint64 `json:"amount"`
	Cost   uint64 `json:"cost"`
	JobID  string `json:"jobId"`
	Ledger string `json:"ledger"`
	Payee  string `json:"payee"`
	Hash   string `json:"hash"`
}

// The result of a replay of the log; amounts in microcredits.
type LedgerReport struct {
	OK bool `json:"ok" ts:"true"`
	// The entries let go included.
	Entries uint64 `json:"entries"`
	// How many of the oldest have been let go. The others were verified from the state that was kept of these.
	Gone uint64 `json:"gone"`
	// The hash of the newest of those, empty when there are none.
	Before  string `json:"before"`
	Head    string `json:"head"`
	Ledgers int    `json:"ledgers"`
	Held    uint64 `json:"held"`
	Holds   int    `json:"holds"`
	Owed    uint64 `json:"owed"`
	Granted uint64 `json:"granted"`
	// False in a tab whose ledger lasts only as long as the tab.
	Durable bool `json:"durable"`
}

// What a policy would have decided about the jobs remembered.
type PolicyDryRun struct {
	// How many jobs were looked at.
	Looked  int            `json:"looked"`
	Changes []PolicyChange `json:"changes"`
}

// A job about which another rule decides: the rule's name before and after.
type PolicyChange struct {
	JobID  string `json:"jobId"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// A policy that is in force now.
type PolicyEnforced struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
	PolicyDryRun
}
