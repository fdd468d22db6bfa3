package credit

// Bounds of every amount: sums of two never overflow an int64.
const (
	maxAmount  = 1 << 60
	maxBalance = 1 << 61
)

type class uint8

const (
	classIssue  class = iota // the other side of grants; may go negative
	classHeld                // what is held for jobs
	classLedger              // what a ledger may spend; floor: minus its credit line
	classPeer                // what a node has earned and has not been paid
	classCheque              // cheques taken from a node: minus what they promise
	classDrawn               // cheques given to a node
)

type accountID struct {
	class class
	owner key
}

type account struct {
	balance  int64
	line     uint64 // classLedger: the credit line, microcredits
	held     uint64 // part of classHeld that came from this account
	moved    int64  // classLedger: time of the last hold, payment or clearing
	revoked  bool
	stranger bool
	network  network // of an unproven account
}

// floor returns the lowest balance of an account. For the issue account and a cheque account it
// is the bound of all amounts: available decides what a promise is worth.
func (a *account) floor(c class) int64 {
	switch c {
	case classLedger:
		return -int64(a.line)
	case classIssue, classCheque:
		return -maxBalance
	}
	return 0
}

type holdKey struct {
	ledger key
	nonce  Nonce
}

type hold struct {
	job     jobKey
	payee   key // zero: any
	amount  uint64
	expires int64
}

type outcome uint8

const (
	outcomeSettled outcome = iota + 1
	outcomeRefunded
)

// state is the sum of the log. apply is its only writer, live and at replay, and applies an
// entry whole or changes nothing.
type state struct {
	seq       uint64
	last      int64 // time of the newest entry, by a clock that may have been set back since
	chain     hash
	before    hash // the chain one entry ago
	accounts  map[accountID]*account
	strangers int
	holds     map[holdKey]hold
	spent     usedVouchers
	cheques   map[key]chequeState
}

func newState() *state {
	return &state{accounts: make(map[accountID]*account), holds: make(map[holdKey]hold),
		spent: newUsedVouchers(), cheques: make(map[key]chequeState)}
}

func (s *state) at(c class, owner key) *account {
	id := accountID{c, owner}
	a := s.accounts[id]
	if a == nil {
		a = &account{}
		s.accounts[id] = a
	}
	return a
}

func (s *state) ledger(owner key) *account { return s.accounts[accountID{classLedger, owner}] }

// spend checks that amount can leave a without passing its floor.
func spend(a *account, c class, amount uint64) error {
	if amount > maxAmount {
		return ErrAmount
	}
	if a.balance-int64(amount) < a.floor(c) {
		return ErrLedgerExhausted
	}
	return nil
}

// accept checks that amount can be added to a, with room left for its held part to return.
func accept(a *account, amount uint64) error {
	if amount > maxAmount || a.balance+int64(a.held) > maxBalance-int64(amount) {
		return ErrAmount
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// apply applies e. The caller has set seq and at.
func (s *state) apply(e *entry) error {
	if e.seq != s.seq+1 {
		return ErrCorrupt
	}
	back := s.fallen(e.at)
	s.shift(-back)
	if err := s.move(e); err != nil {
		s.shift(back)
		return err
	}
	s.seq, s.last = e.seq, e.at
	if a := s.ledger(e.ledger); a != nil && e.kind != KindGrant && e.kind != KindWithdraw && e.kind != KindRevoke {
		a.moved = e.at
	}
	// At most two, so that no entry pays for many; each entry adds at most one.
	s.spent.forget(e.at, 2)
	return nil
}

func (s *state) move(e *entry) error {
	a := s.ledger(e.ledger)
	if e.kind == KindAccount {
		return s.open(e, a)
	}
	if e.kind == KindChequeIn || e.kind == KindChequeOut {
		return s.cheque(e)
	}
	if a == nil {
		return ErrLedgerUnknown
	}
	hk := holdKey{e.ledger, e.nonce}
	switch e.kind {
	case KindGrant, KindWithdraw:
		issue := s.at(classIssue, key{})
		from, to, c := issue, a, classIssue
		if e.kind == KindWithdraw {
			from, to, c = a, issue, classLedger
		}
		if e.amount == 0 {
			return ErrAmount
		}
		if err := first(spend(from, c, e.amount), accept(to, e.amount)); err != nil {
			return err
		}
		from.balance -= int64(e.amount)
		to.balance += int64(e.amount)
	case KindClose:
		return s.forget(e, a)
	case KindRevoke:
		a.revoked = e.amount != 0
	case KindHold:
		return s.hold(e, a, hk)
	case KindSettle, KindRefund, KindExpire:
		return s.end(e, a, hk)
	default:
		return ErrCorrupt
	}
	return nil
}

func (s *state) open(e *entry, a *account) error {
	if e.amount > maxAmount {
		return ErrAmount
	}
	if a == nil {
		a = s.at(classLedger, e.ledger)
		if a.stranger = e.flags&flagStranger != 0; a.stranger {
			s.strangers++
			a.network = opensOn(e)
		}
	} else if e.flags&flagStranger != 0 {
		return ErrCorrupt
	} else if a.balance < -int64(e.amount) {
		return ErrLedgerExhausted // the debt exceeds the new line
	} else if a.stranger && e.flags&flagKnown != 0 {
		a.stranger = false
		s.strangers--
	}
	a.line = e.amount
	return nil
}

// sum returns the sum over all accounts, which is 0 in every state.
func (s *state) sum() int64 {
	var n int64
	for _, a := range s.accounts {
		n += a.balance
	}
	return n
}
