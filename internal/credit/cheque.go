package credit

import (
	"errors"
	"fmt"
	"time"

	"inos/internal/identity"
)

// Two nodes that work for each other owe each other. On each node's books the
// peer's ledger account is what the peer owes (negative), and the peer account
// is what this node owes. A cheque clears both: Offset sets one against the other,
// Paid turns what is left into a promise with the drawer's signature on it, which
// the payee can show to anybody. There is no other money: a cheque is worth what
// its drawer's word is.

// chequeState is how far the cheques between this node and a peer have got.
type chequeState struct {
	inSeq, inPaid   uint64 // of the peer's newest
	outSeq, outPaid uint64 // of the newest to the peer
	offset          uint64 // set off on these books, in total, by either's cheques
}

// owes is what the owner of a ledger account owes for settled jobs.
func (a *account) owes() uint64 {
	if a == nil {
		return 0
	}
	return uint64(max(-(a.balance + int64(a.held)), 0))
}

// cheque does an entry whose Amount is paid and whose Cost is offset, both since
// the cheque before.
func (s *state) cheque(e *entry) error {
	if e.amount > maxAmount || e.cost > maxAmount || (e.kind == KindChequeOut && e.amount+e.cost == 0) {
		return ErrAmount
	}
	ledger, peer := s.ledger(e.ledger), s.at(classPeer, e.ledger)
	c := s.cheques[e.ledger]
	if e.cost > 0 && (e.cost > ledger.owes() || int64(e.cost) > peer.balance) {
		return ErrChequeMismatch
	}
	if e.kind == KindChequeOut {
		drawn := s.at(classDrawn, e.ledger)
		if int64(e.amount+e.cost) > peer.balance {
			return ErrChequeMismatch
		}
		if err := accept(drawn, e.amount); err != nil {
			return err
		}
		peer.balance -= int64(e.amount)
		drawn.balance += int64(e.amount)
		c.outSeq, c.outPaid = c.outSeq+1, c.outPaid+e.amount
	} else {
		// e.expires carries the sequence number, so that gaps are remembered.
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
		peer.balance -= int64(e.cost)
		ledger.balance += int64(e.cost)
		c.offset += e.cost
	}
	s.cheques[e.ledger] = c
	return nil
}

// clearable is how much can be set off between this node and the peer.
func (s *state) clearable(k key) (owed, offset uint64) {
	if a := s.accounts[accountID{classPeer, k}]; a != nil {
		owed = uint64(a.balance)
	}
	return owed, min(owed, s.ledger(k).owes())
}

// Draw clears with peer as much as this node's books allow: it sets off what
// peer owes, promises the rest of what is owed to peer, and returns the signed
// cheque, the same totals again if it is lost and drawn anew. Errors match
// ErrAmount when nothing is owed.
func (l *Ledger) Draw(w *Wallet, peer identity.PeerID, now time.Time) ([]byte, error) {
	k, err := peerKey(peer)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	owed, offset := l.state.clearable(k)
	e := entry{kind: KindChequeOut, ledger: k, amount: owed - offset, cost: offset}
	b, leads, err := l.join(now, []*entry{&e})
	c := l.state.cheques[k]
	l.mu.Unlock()
	if err = l.finish(b, leads, err); err != nil {
		return nil, err
	}
	return l.seal(w, peer, c, now)
}

// Redraw signs the last cheque to peer again, for one that was lost. Errors match
// ErrAmount when there is none.
func (l *Ledger) Redraw(w *Wallet, peer identity.PeerID, now time.Time) ([]byte, error) {
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

func (l *Ledger) seal(w *Wallet, peer identity.PeerID, c chequeState, now time.Time) ([]byte, error) {
	return w.cfg.Codec.SealCheque(Cheque{Drawer: w.peer, Payee: peer, Sequence: c.outSeq, Paid: c.outPaid,
		Offset: c.offset, IssuedAt: now}, w.cfg.Key)
}

// Take verifies a cheque to self and books it. It sets off what the drawer has
// set off and these books do not show yet, as far as both debts go: when the two
// draw at the same time, the larger total counts, not the sum. What is promised
// clears the drawer's debt, and beyond that is a balance it may spend here; what
// all its cheques promise is bounded by Config.ChequeLine (ErrLedgerExhausted).
// ErrChequeStale: this or a newer one has been taken; the cheque is returned all the
// same.
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
		_, offset := l.state.clearable(k)
		e.cost = min(offset, c.Offset-had.offset)
	}
	if a := l.state.accounts[accountID{classCheque, k}]; e.amount > 0 {
		promised := e.amount
		if a != nil {
			promised += uint64(-a.balance)
		}
		if promised > l.cfg.ChequeLine {
			l.mu.Unlock()
			return Cheque{}, fmt.Errorf("%w: cheques of one node may promise %d", ErrLedgerExhausted, l.cfg.ChequeLine)
		}
	}
	b, leads, err := l.join(now, []*entry{&e})
	l.mu.Unlock()
	return c, l.finish(b, leads, err)
}

// Standing between this node and a peer, in microcredits.
type Standing struct {
	Owes     uint64 // the peer, for jobs settled here
	Owed     uint64 // to the peer, for jobs settled there
	Promised uint64 // by the peer's cheques
	Drawn    uint64 // by cheques to the peer
}

// Standing returns what is open between this node and peer.
func (l *Ledger) Standing(peer identity.PeerID) (Standing, error) {
	k, err := peerKey(peer)
	if err != nil {
		return Standing{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Standing{Owes: l.state.ledger(k).owes()}
	for c, to := range map[class]*uint64{classPeer: &s.Owed, classCheque: &s.Promised, classDrawn: &s.Drawn} {
		if a := l.state.accounts[accountID{c, k}]; a != nil {
			*to = uint64(max(a.balance, -a.balance))
		}
	}
	return s, nil
}
