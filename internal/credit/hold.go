package credit

// mayHold checks every condition of a hold besides its amount.
func (s *state) mayHold(e *entry, a *account, hk holdKey) error {
	if _, open := s.holds[hk]; open || s.spent.of[hk.used()] != 0 {
		return ErrVoucherReplayed
	}
	if a.revoked {
		return ErrLedgerRevoked
	}
	if e.amount == 0 {
		return ErrAmount
	}
	if e.expires <= e.at {
		return ErrVoucherExpired
	}
	return nil
}

func (s *state) hold(e *entry, a *account, hk holdKey) error {
	if err := s.mayHold(e, a, hk); err != nil {
		return err
	}
	held := s.at(classHeld, key{})
	if err := first(spend(a, classLedger, e.amount), accept(held, e.amount)); err != nil {
		return err
	}
	a.balance -= int64(e.amount)
	a.held += e.amount
	held.balance += int64(e.amount)
	s.holds[hk] = hold{job: e.job, payee: e.peer, amount: e.amount, expires: e.expires}
	return nil
}

func (s *state) end(e *entry, a *account, hk holdKey) error {
	h, open := s.holds[hk]
	if !open {
		switch s.spent.of[hk.used()] {
		case outcomeSettled:
			return ErrHoldSettled
		case outcomeRefunded:
			return ErrHoldRefunded
		}
		return ErrNoHold
	}
	// An entry repeats facts of its hold, and they must agree: a log in which they do not was
	// not written by this program.
	if e.amount != h.amount || e.job != h.job {
		return ErrCorrupt
	}
	if e.cost > h.amount || (e.kind != KindSettle && e.cost != 0) {
		return ErrOverHold
	}
	end := outcomeRefunded
	held := s.at(classHeld, key{})
	if e.kind == KindSettle {
		end = outcomeSettled
		if e.peer.zero() || (!h.payee.zero() && h.payee != e.peer) {
			return ErrVoucherWrongPayee
		}
		payee := s.at(classPeer, e.peer)
		if e.flags&flagOwn != 0 {
			if payee = s.ledger(e.peer); payee == nil {
				return ErrCorrupt
			}
		}
		if payee != a { // a refund to a always fits: accept has checked it
			if err := accept(payee, e.cost); err != nil {
				return err
			}
		}
		payee.balance += int64(e.cost)
	}
	held.balance -= int64(h.amount)
	a.held -= h.amount
	a.balance += int64(h.amount - e.cost)
	delete(s.holds, hk)
	s.spent.add(hk.used(), end, max(h.expires, e.at+int64(remember)))
	return nil
}
