package credit

import (
	"errors"
	"fmt"
	"time"

	"inos/internal/identity"
)

// Two nodes that work for each other owe each other. On each node's books the ledger account of
// the peer holds what the peer owes (negative), and the peer account holds what this node owes.
// A cheque clears both: Offset sets one against the other, and Paid turns the rest into a
// promise that the drawer signs and the payee can show to anybody. A promise is redeemed by
// setting it off against what the payee comes to owe. There is no other money: a cheque is worth
// as much as its drawer's word.

// chequeState is the progress of the cheques between this node and a peer.
type chequeState struct {
	inSeq, inPaid   uint64 // of the peer's newest cheque
	outSeq, outPaid uint64 // of the newest cheque to the peer
	offset          uint64 // total set off on these books by cheques of both
}

// owes returns what the owner of a ledger account owes for settled jobs.
func (a *account) owes() uint64 {
	if a == nil {
		return 0
	}
	return uint64(max(-(a.balance + int64(a.held)), 0))
}

// cheque applies a cheque entry. Amount is what was paid since the cheque before, Cost what was
// set off since then.
func (s *state) cheque(e *entry) error {
	if e.amount > maxAmount || e.cost > maxAmount || (e.kind == KindChequeOut && e.amount+e.cost == 0) {
		return ErrAmount
	}
	ledger, peer := s.ledger(e.ledger), s.at(classPeer, e.ledger)
	c := s.cheques[e.ledger]
	d := s.debts(e.ledger)
	if e.kind == KindChequeIn {
		d = d.promise(e.amount)
	}
	set := d.setOff(e.cost)
	if e.cost > 0 && set.sum() != e.cost {
		return ErrChequeMismatch
	}
	if e.kind == KindChequeOut {
		drawn := s.at(classDrawn, e.ledger)
		if int64(e.amount+set.owed) > peer.balance {
			return ErrChequeMismatch
		}
		if err := accept(drawn, e.amount); err != nil {
			return err
		}
		peer.balance -= int64(e.amount)
		drawn.balance += int64(e.amount)
		c.outSeq, c.outPaid = c.outSeq+1, c.outPaid+e.amount
	} else {
		// e.expires holds the cheque's sequence number, so that gaps are remembered.
		if uint64(e.expires) <= c.inSeq {
			return ErrChequeStale
		}
		if ledger == nil {
			return ErrLedgerUnknown
		}
		cheques := s.at(classCheque, e.ledger)
		if err := first(spend(cheques, classCheque, e.amount), accept(ledger, e.amount+e.cost)); err != nil {
			return err
		}
		cheques.balance -= int64(e.amount)
		ledger.balance += int64(e.amount)
		c.inSeq, c.inPaid = uint64(e.expires), c.inPaid+e.amount
	}
	if e.cost > 0 {
		peer.balance -= int64(set.owed)
		s.at(classDrawn, e.ledger).balance -= int64(set.drawn)
		if set.owes > 0 {
			ledger.balance += int64(set.owes)
		}
		s.at(classCheque, e.ledger).balance += int64(set.promised)
		c.offset += e.cost
	}
	s.cheques[e.ledger] = c
	return nil
}

// debts holds what a node and a peer owe each other, for jobs and by cheques, in microcredits.
type debts struct{ owed, drawn, owes, promised uint64 }

func (d debts) sum() uint64 { return d.owed + d.drawn }

func (s *state) debts(k key) (d debts) {
	for c, to := range map[class]*uint64{classPeer: &d.owed, classCheque: &d.promised, classDrawn: &d.drawn} {
		if a := s.accounts[accountID{c, k}]; a != nil {
			*to = uint64(max(a.balance, -a.balance))
		}
	}
	d.owes = s.ledger(k).owes()
	return d
}

// promise returns d after the peer has promised amount more.
func (d debts) promise(amount uint64) debts {
	d.owes -= min(d.owes, amount)
	d.promised += amount
	return d
}

// setOff returns the debts that setting off up to amount cancels. On each side debts for jobs go
// first, then cheques, which are thereby redeemed. Both nodes use this order.
func (d debts) setOff(amount uint64) (off debts) {
	amount = min(amount, d.owed+d.drawn, d.owes+d.promised)
	off.owed, off.owes = min(amount, d.owed), min(amount, d.owes)
	off.drawn, off.promised = amount-off.owed, amount-off.owes
	return off
}

// Draw clears with peer as much as this node's books allow. It sets off what peer owes and has
// promised, promises the rest of what is owed to peer, and returns the signed cheque. Totals are
// cumulative, so drawing anew after a loss repeats them. Errors match ErrAmount when nothing is
// owed.
func (l *Ledger) Draw(w *Signer, peer identity.PeerID, now time.Time) ([]byte, error) {
	k, err := peerKey(peer)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	d := l.state.debts(k)
	set := d.setOff(maxAmount)
	e := entry{kind: KindChequeOut, ledger: k, amount: d.owed - set.owed, cost: set.sum()}
	b, leads, err := l.join(now, []*entry{&e})
	c := l.state.cheques[k]
	l.mu.Unlock()
	if err = l.finish(b, leads, err); err != nil {
		return nil, err
	}
	return l.seal(w, peer, c, now)
}

// Redraw signs the last cheque to peer again, in case it was lost. Errors match ErrAmount when
// there is none.
func (l *Ledger) Redraw(w *Signer, peer identity.PeerID, now time.Time) ([]byte, error) {
	k, err := peerKey(peer)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	c := l.state.cheques[k]
	l.mu.Unlock()
	if c.outSeq == 0 {
		return nil, ErrAmount
	}
	return l.seal(w, peer, c, now)
}

func (l *Ledger) seal(w *Signer, peer identity.PeerID, c chequeState, now time.Time) ([]byte, error) {
	return w.cfg.Codec.SealCheque(Cheque{Drawer: w.peer, Payee: peer, Sequence: c.outSeq, Paid: c.outPaid,
		Offset: c.offset, IssuedAt: now}, w.cfg.Key)
}

// Take verifies a cheque to self and enters it. It sets off what the drawer has set off and
// these books do not show yet, as far as both debts go: when both nodes draw at the same time,
// the larger total counts, not the sum. The promise replaces the drawer's debt and uses its
// credit line until it is redeemed by what this node comes to owe: a promise is never refused,
// and never pays for more. Errors match ErrChequeStale when this cheque or a newer one has been
// taken; the cheque is returned all the same.
func (l *Ledger) Take(raw []byte, self identity.PeerID, now time.Time) (Cheque, error) {
	c, signer, err := l.cfg.Codec.OpenCheque(raw)
	switch {
	case errors.Is(err, ErrSignature):
		return Cheque{}, ErrChequeForged
	case err != nil:
		return Cheque{}, fmt.Errorf("%w: %v", ErrChequeMalformed, err)
	case signer != c.Drawer:
		return Cheque{}, ErrChequeForged
	case c.Payee != self:
		return Cheque{}, fmt.Errorf("%w: it is to %q", ErrChequeMismatch, c.Payee)
	case c.Paid > maxAmount || c.Offset > maxAmount || c.Sequence == 0 || c.Sequence > 1<<62:
		return Cheque{}, fmt.Errorf("%w: figure out of range", ErrChequeMalformed)
	}
	k, err := peerKey(signer)
	if err != nil {
		return Cheque{}, ErrChequeForged
	}
	l.mu.Lock()
	had := l.state.cheques[k]
	if c.Sequence <= had.inSeq {
		l.mu.Unlock()
		return c, ErrChequeStale
	}
	if c.Paid < had.inPaid {
		l.mu.Unlock()
		return Cheque{}, fmt.Errorf("%w: the total paid fell", ErrChequeMismatch)
	}
	e := entry{kind: KindChequeIn, ledger: k, amount: c.Paid - had.inPaid, expires: int64(c.Sequence)}
	if c.Offset > had.offset {
		e.cost = l.state.debts(k).promise(e.amount).setOff(c.Offset - had.offset).sum()
	}
	b, leads, err := l.join(now, []*entry{&e})
	l.mu.Unlock()
	return c, l.finish(b, leads, err)
}

// Standing is the open balance between this node and a peer, in microcredits.
type Standing struct {
	Owes     uint64 // by the peer, for jobs settled here
	Owed     uint64 // to the peer, for jobs settled there
	Promised uint64 // by the peer's cheques
	Drawn    uint64 // by cheques to the peer
}

// Standing returns the open balance between this node and peer.
func (l *Ledger) Standing(peer identity.PeerID) (Standing, error) {
	k, err := peerKey(peer)
	if err != nil {
		return Standing{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.state.debts(k)
	return Standing{Owes: d.owes, Owed: d.owed, Promised: d.promised, Drawn: d.drawn}, nil
}
