package credit

import (
	"math"
	"time"

	"inos/internal/identity"
)

// A ledger that a voucher opened is a stranger's. There is room for so many of them;
// past that, whoever owes nothing makes room at once, and whoever owes something when
// nothing has been heard of them for a while: the whole StrangerAge for a whole line, a
// thousandth of it for a thousandth. So nobody keeps a place for next to nothing. Since keys
// are free, all strangers together have a line, too: what they can cost this node is that
// line for each StrangerAge, whatever they are.

// owed is what strangers owe, in all and those of each network. Without of it has not been
// summed yet.
type owed struct {
	sum uint64
	of  map[network]uint64
}

// change takes in that somebody of a network owes to, and no longer from.
func (o *owed) change(of network, from, to uint64) {
	if o.of == nil || from == to {
		return
	}
	o.sum += to - from
	if o.of[of] += to - from; o.of[of] == 0 {
		delete(o.of, of)
	}
}

// room is how much more the strangers of a network may owe: as long as they owe less than is
// free of the total.
func (o *owed) room(of network, total uint64) uint64 {
	free := total - min(o.sum, total)
	return (free - min(o.of[of], free)) / 2
}

// strangersRoom is how much more strangers of a network may owe. The caller holds the lock.
func (l *Ledger) strangersRoom(of network) uint64 {
	if l.owed.of == nil {
		l.owed = l.state.strangersOwe()
	}
	return l.owed.room(of, l.cfg.StrangersLine)
}

// strangersOwe looks at every account.
func (s *state) strangersOwe() owed {
	o := owed{of: make(map[network]uint64)}
	for id, a := range s.accounts {
		if id.class == classLedger && a.stranger {
			o.change(a.network, 0, s.exposure(id.owner, a))
		}
	}
	return o
}

// apply is state.apply, and keeps what strangers owe: an entry changes that for its own ledger
// only. The caller holds the lock.
func (l *Ledger) apply(e *entry) error {
	of, owes := l.state.strangerOwes(e.ledger)
	err := l.state.apply(e)
	l.owed.change(of, owes, 0)
	of, owes = l.state.strangerOwes(e.ledger)
	l.owed.change(of, 0, owes)
	return err
}

// strangerOwes is what k owes, if that is a stranger, and its network.
func (s *state) strangerOwes(k key) (of network, owes uint64) {
	if a := s.ledger(k); a != nil && a.stranger {
		return a.network, s.exposure(k, a)
	}
	return of, 0
}

// exposure is what a ledger's owner owes, for settled jobs and by cheques that are not
// redeemed, and what is held for them.
func (s *state) exposure(k key, a *account) uint64 {
	return uint64(max(int64(s.promised(k))-a.balance, 0))
}

// Pays reports whether ledger has paid here before, or pays now: it is no stranger's, but one
// that this node's owner means; or a stranger's that owes nothing, whatever is held for it
// with it, or no more than what has been set off with its owner so far.
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

// promised is what the cheques of k promise and have not been redeemed for.
func (s *state) promised(k key) uint64 {
	if c := s.accounts[accountID{classCheque, k}]; c != nil {
		return uint64(-c.balance)
	}
	return 0
}

// available is what a ledger may still spend: its balance and its line, less what its
// owner's cheques promise. A promise turns a debt into a signed one; it pays for nothing.
func (s *state) available(k key, a *account) uint64 {
	return uint64(max(a.balance+int64(a.line)-int64(s.promised(k)), 0))
}

// leaves reports whether a stranger may be forgotten at now: nothing is held for them
// or owed to them, they have no money here, and what they owe has waited its time.
func (s *state) leaves(k key, a *account, age time.Duration, now int64) bool {
	if !s.forgettable(k, a) {
		return false
	}
	owes := s.exposure(k, a)
	if owes == 0 {
		return true
	}
	wait := float64(age) * min(float64(owes)/float64(max(a.line, 1)), 1)
	return math.Abs(float64(now-a.moved)) >= wait // a clock may have been ahead
}

// forgettable is what of leaves is no matter of time.
func (s *state) forgettable(k key, a *account) bool {
	if !a.stranger || a.held != 0 || a.revoked || a.balance > int64(s.promised(k)) {
		return false
	}
	for _, c := range []class{classPeer, classDrawn} {
		if o := s.accounts[accountID{c, k}]; o != nil && o.balance != 0 {
			return false
		}
	}
	// Both sides count cheques and what has been set off from the beginning.
	c := s.cheques[k]
	return c.outSeq == 0 && c.offset == 0
}

// room reports whether another stranger may come, and who has to go for it.
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

// closing is the entry that forgets a stranger.
func (s *state) closing(k key) *entry {
	a := s.ledger(k)
	return &entry{kind: KindClose, ledger: k, amount: uint64(max(-a.balance, 0)), cost: s.promised(k)}
}

// forget does a closing entry: what a stranger still owes and has promised is written
// off, from the issue account. Entries written before there was such a thing are of
// strangers that owed nothing, and leave their promises.
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
