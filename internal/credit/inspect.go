package credit

import (
	"cmp"
	"slices"
	"time"

	"inos/internal/identity"
	"inos/internal/order"
)

// Balance of one ledger, in microcredits.
type Balance struct {
	Ledger   identity.LedgerID
	Balance  int64  // negative: owed on its credit line
	Promised uint64 // unredeemed promises of its owner's cheques, which may not be spent
	Line     uint64 // how far below 0 it may go
	Held     uint64 // set aside for jobs, not in Balance
	Revoked  bool
	Stranger bool // opened by a voucher
}

// Available returns what can still be held.
func (b Balance) Available() uint64 {
	return uint64(max(b.Balance+int64(b.Line)-int64(b.Promised), 0))
}

func (s *state) balanceOf(k key, a *account) Balance {
	return Balance{Ledger: k.ledger(), Balance: a.balance, Promised: s.promised(k), Line: a.line, Held: a.held,
		Revoked: a.revoked, Stranger: a.stranger}
}

// Balance returns the balance of one ledger, false when it is not known.
func (l *Ledger) Balance(ledger identity.LedgerID) (Balance, bool) {
	k, err := l.key(ledger)
	if err != nil {
		return Balance{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.state.ledger(k)
	if a == nil {
		return Balance{}, false
	}
	return l.state.balanceOf(k, a), true
}

// Earned returns what settled jobs owe to peer, on this node's books. Config.Self's earnings are
// in its own balance instead.
func (l *Ledger) Earned(peer identity.PeerID) int64 {
	k, err := peerKey(peer)
	if err != nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.state.accounts[accountID{classPeer, k}]; a != nil {
		return a.balance
	}
	return 0
}

// Balances returns the balance of every ledger, ordered by id.
func (l *Ledger) Balances() []Balance {
	l.mu.Lock()
	var out []Balance
	for id, a := range l.state.accounts {
		if id.class == classLedger {
			out = append(out, l.state.balanceOf(id.owner, a))
		}
	}
	l.mu.Unlock()
	order.By(out, func(a, b Balance) int { return cmp.Compare(a.Ledger, b.Ledger) })
	return out
}

// Held is an open hold.
type Held struct {
	ID      HoldID
	JobID   string
	Payee   identity.PeerID // zero: any
	Amount  uint64          // microcredits
	Expires time.Time
}

// Holds returns the open holds, soonest expiry first.
func (l *Ledger) Holds() []Held {
	l.mu.Lock()
	var out []Held
	for hk, h := range l.state.holds {
		out = append(out, l.held(hk, h))
	}
	l.mu.Unlock()
	order.By(out, func(a, b Held) int {
		return cmp.Or(a.Expires.Compare(b.Expires), slices.Compare(a.ID.Nonce[:], b.ID.Nonce[:]))
	})
	return out
}

// HoldOf returns one open hold.
func (l *Ledger) HoldOf(id HoldID) (Held, bool) {
	k, err := l.key(id.Ledger)
	if err != nil {
		return Held{}, false
	}
	hk := holdKey{k, id.Nonce}
	l.mu.Lock()
	h, ok := l.state.holds[hk]
	l.mu.Unlock()
	if !ok {
		return Held{}, false
	}
	return l.held(hk, h), true
}

// Fate is how a hold ended, as far as that is remembered.
type Fate uint8

// The fates.
const (
	FateUnknown Fate = iota
	FateHeld
	FateSettled
	FateRefunded
)

// Fate returns how a hold ended.
func (l *Ledger) Fate(id HoldID) Fate {
	k, err := l.key(id.Ledger)
	if err != nil {
		return FateUnknown
	}
	hk := holdKey{k, id.Nonce}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.state.holds[hk]; open {
		return FateHeld
	}
	switch l.state.spent.of[hk.used()] {
	case outcomeSettled:
		return FateSettled
	case outcomeRefunded:
		return FateRefunded
	}
	return FateUnknown
}

func (l *Ledger) held(hk holdKey, h hold) Held {
	x := Held{ID: HoldID{hk.ledger.ledger(), hk.nonce}, JobID: h.job.String(), Amount: h.amount,
		Expires: l.line.Time(h.expires)}
	if !h.payee.zero() {
		x.Payee = h.payee.peer()
	}
	return x
}

// Sum returns the sum over all accounts of the node, which is always 0.
func (l *Ledger) Sum() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.sum()
}

// Head returns the newest entry's sequence number and hash.
func (l *Ledger) Head() (sequence uint64, hash [32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.seq, l.state.chain
}
