package credit

import (
	"math"
	"time"

	"inos/internal/identity"
)

// An unproven account is one that a voucher opened. Their number is bounded. At the bound an
// account that owes nothing makes room at once. One that owes makes room after a time without
// transfers that is proportional to the debt: all of StrangerAge for the whole credit line, a
// thousandth of it for a thousandth. So no debt, however small, keeps a place for long. Keys are
// free, so all unproven accounts also share one line: it is the most that they can cost this
// node in each StrangerAge, however many keys they use.

// owed holds what unproven accounts owe, in all and by network, in microcredits. A nil map means
// that it has not been summed yet.
type owed struct {
	sum uint64
	of  map[network]uint64
}

// change records that an account of a network owes to instead of from.
func (o *owed) change(of network, from, to uint64) {
	if o.of == nil || from == to {
		return
	}
	o.sum += to - from
	if o.of[of] += to - from; o.of[of] == 0 {
		delete(o.of, of)
	}
}

// room returns how much more the unproven accounts of a network may owe. A network may owe as
// much as is left of the total.
func (o *owed) room(of network, total uint64) uint64 {
	free := total - min(o.sum, total)
	return (free - min(o.of[of], free)) / 2
}

// strangersRoom returns how much more unproven accounts of a network may owe. The caller holds
// the lock.
func (l *Ledger) strangersRoom(of network) uint64 {
	if l.owed.of == nil {
		l.owed = l.state.strangersOwe()
	}
	return l.owed.room(of, l.cfg.StrangersLine)
}

// strangersOwe sums the debts of all unproven accounts. It visits every account.
func (s *state) strangersOwe() owed {
	o := owed{of: make(map[network]uint64)}
	for id, a := range s.accounts {
		if id.class == classLedger && a.stranger {
			o.change(a.network, 0, s.exposure(id.owner, a))
		}
	}
	return o
}

// apply is state.apply and updates what unproven accounts owe. An entry changes that for its own
// ledger only. The caller holds the lock.
func (l *Ledger) apply(e *entry) error {
	of, owes := l.state.strangerOwes(e.ledger)
	err := l.state.apply(e)
	l.owed.change(of, owes, 0)
	of, owes = l.state.strangerOwes(e.ledger)
	l.owed.change(of, 0, owes)
	return err
}

// strangerOwes returns what k owes and its network, if k is an unproven account.
func (s *state) strangerOwes(k key) (of network, owes uint64) {
	if a := s.ledger(k); a != nil && a.stranger {
		return a.network, s.exposure(k, a)
	}
	return of, 0
}

// exposure returns what a ledger's owner owes for settled jobs and by unredeemed cheques, plus
// what is held for the owner.
func (s *state) exposure(k key, a *account) uint64 {
	return uint64(max(int64(s.promised(k))-a.balance, 0))
}

// Pays reports whether ledger has paid here before, or pays now. That is so for every account
// that is not unproven, and for an unproven account whose debts and holds together are no more
// than what has been set off with its owner so far.
func (l *Ledger) Pays(ledger identity.LedgerID) bool {
	k, err := l.key(ledger)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.state.ledger(k)
	return a != nil && (!a.stranger || l.state.exposure(k, a) <= l.state.cheques[k].offset)
}

// promised returns the unredeemed total of k's cheques.
func (s *state) promised(k key) uint64 {
	if c := s.accounts[accountID{classCheque, k}]; c != nil {
		return uint64(-c.balance)
	}
	return 0
}

// available returns what a ledger may still spend: its balance and its credit line, less the
// promises of its owner's cheques. A promise only turns a debt into a signed one; it pays for
// nothing.
func (s *state) available(k key, a *account) uint64 {
	return uint64(max(a.balance+int64(a.line)-int64(s.promised(k)), 0))
}

// leaves reports whether an unproven account may be forgotten at now: nothing is held for it or
// owed to it, it has no money, and its debt has aged long enough.
func (s *state) leaves(k key, a *account, age time.Duration, now int64) bool {
	if !s.forgettable(k, a) {
		return false
	}
	owes := s.exposure(k, a)
	if owes == 0 {
		return true
	}
	wait := float64(age) * min(float64(owes)/float64(max(a.line, 1)), 1)
	return math.Abs(float64(now-a.moved)) >= wait // absolute, because a clock may have been ahead
}

// forgettable is the part of leaves that does not depend on time.
func (s *state) forgettable(k key, a *account) bool {
	if !a.stranger || a.held != 0 || a.revoked || a.balance > int64(s.promised(k)) {
		return false
	}
	for _, c := range []class{classPeer, classDrawn} {
		if o := s.accounts[accountID{c, k}]; o != nil && o.balance != 0 {
			return false
		}
	}
	// Both sides count cheques and set-offs from the beginning.
	c := s.cheques[k]
	return c.outSeq == 0 && c.offset == 0
}

// room reports whether there is room for another unproven account, and which one to close for
// it.
func (s *state) room(max int, age time.Duration, now int64) (victim key, ok bool) {
	if s.strangers < max {
		return key{}, true
	}
	for id, a := range s.accounts {
		if id.class == classLedger && s.leaves(id.owner, a, age, now) {
			return id.owner, true
		}
	}
	return key{}, false
}

// closing returns the entry that closes an unproven account.
func (s *state) closing(k key) *entry {
	a := s.ledger(k)
	return &entry{kind: KindClose, ledger: k, amount: uint64(max(-a.balance, 0)), cost: s.promised(k)}
}

// forget applies a closing entry: it writes off what an unproven account owes and has promised,
// from the issue account. Closing entries of older logs have no amounts: their accounts owed
// nothing and keep their promises.
func (s *state) forget(e *entry, a *account) error {
	promised := s.promised(e.ledger)
	if !a.stranger || a.held != 0 || a.revoked || e.amount != uint64(max(-a.balance, 0)) || e.cost != 0 && e.cost != promised ||
		a.balance > int64(e.cost) {
		return ErrCorrupt
	}
	issue := s.at(classIssue, key{})
	if err := spend(issue, classIssue, e.amount+e.cost); err != nil {
		return err
	}
	issue.balance += a.balance
	delete(s.accounts, accountID{classLedger, e.ledger})
	s.strangers--
	if e.cost != 0 {
		issue.balance -= int64(e.cost)
		delete(s.accounts, accountID{classCheque, e.ledger})
		delete(s.cheques, e.ledger)
	}
	return nil
}
