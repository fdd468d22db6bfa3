package payment

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
)

// prove lists a proof and stores it durably.
func (p *Service) prove(x Proof, now time.Time) error {
	p.mu.Lock()
	key, value, drop := p.proofs.add(x)
	sweepDue := p.proofs.sweepDue(x.Hold.Ledger)
	p.mu.Unlock()
	if p.keep == nil {
		drop = nil
	} else if err := p.keep.Put(key, value); err != nil {
		return errors.Join(err, p.disprove(x.Hold))
	}
	if err := p.drop(drop); err != nil {
		return err
	}
	if sweepDue {
		p.sweep(x.Hold.Ledger, now)
	}
	return nil
}

// Proofs returns the proofs of what this node is owed, oldest first.
func (p *Service) Proofs() []Proof {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proofs.all()
}

func (p *Service) disprove(id credit.HoldID) error {
	p.mu.Lock()
	x := p.proofs.of[id]
	if x == nil {
		p.mu.Unlock()
		return nil
	}
	key := p.proofs.unlist(x)
	p.mu.Unlock()
	return p.drop([]string{key})
}

func (p *Service) drop(keys []string) error {
	for _, k := range keys {
		if p.keep == nil {
			break
		}
		if err := p.keep.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// sweep forgets the proofs of what ledger has paid. A proof that cannot be deleted now is
// deleted when the store is next read.
func (p *Service) sweep(ledger identity.LedgerID, now time.Time) {
	s, err := p.ledger.Standing(identity.PeerID(strings.TrimPrefix(string(ledger), identity.LedgerPrefix)))
	if err != nil {
		return
	}
	p.mu.Lock()
	drop := p.proofs.paid(ledger, s.Owes, now)
	p.mu.Unlock()
	_ = p.drop(drop)
}

// SettleAgain retries the settlements and refunds that the ledger's log refused. What it refuses
// again stays for the next call. Call it before the ledger's Expire.
func (p *Service) SettleAgain(now time.Time) {
	p.mu.Lock()
	var owed []Proof
	for id := range p.unsettled {
		if x := p.proofs.of[id]; x != nil {
			owed = append(owed, *x)
		} else {
			delete(p.unsettled, id) // dropped to make room
		}
	}
	p.mu.Unlock()
	for _, x := range owed {
		err := p.ledger.Settle(x.Hold, p.signer.Peer(), x.Cost, now)
		if errors.Is(err, credit.ErrFailed) || errors.Is(err, credit.ErrBusy) {
			return
		}
		p.mu.Lock()
		delete(p.unsettled, x.Hold)
		p.mu.Unlock()
		if err != nil && p.ledger.Fate(x.Hold) == credit.FateRefunded {
			_ = p.disprove(x.Hold) // or when proofs are next read
		}
	}
	p.mu.Lock()
	back := slices.Collect(maps.Keys(p.unreturned))
	p.mu.Unlock()
	if len(back) == 0 || p.ledger.RefundAll(back, now) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range back {
		delete(p.unreturned, id)
	}
}

// catchUp settles the jobs whose receipt had been signed when the program ended, and forgets the
// proofs of what was refunded or has been paid.
func (p *Service) catchUp(now time.Time) error {
	var ledgers []identity.LedgerID
	for _, l := range slices.Sorted(maps.Keys(p.proofs.by)) {
		ledgers = append(ledgers, l)
		for _, x := range slices.Clone(p.proofs.by[l]) {
			fate := p.ledger.Fate(x.Hold)
			if fate == credit.FateHeld {
				if err := p.ledger.Settle(x.Hold, p.signer.Peer(), x.Cost, now); err == nil {
					continue
				} else if errors.Is(err, credit.ErrFailed) {
					return err
				}
				fate = credit.FateRefunded
			}
			if fate == credit.FateRefunded {
				if err := p.disprove(x.Hold); err != nil {
					return err
				}
			}
		}
	}
	for _, l := range ledgers {
		p.sweep(l, now)
	}
	return nil
}
