package payment

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"inos/internal/clock"
	"inos/internal/credit"
	"inos/internal/identity"
)

const (
	unearnedPrefix = "unearned/" // and ledger and nonce of the voucher
	// unearnedKept bounds the vouchers whose payers are told. The payers of further ones learn
	// it when they ask, or when the vouchers expire.
	unearnedKept = 4096
)

// giveBack refunds what is held for jobs that were here when the program ended. None of their
// receipts has left: catchUp would have settled those. The record that the payer is to be told
// is durable before the refund, and the refund before the payer is told.
func (p *Service) giveBack(now time.Time) error {
	if err := p.readUnearned(now); err != nil {
		return err
	}
	var back []credit.HoldID
	for _, h := range p.ledger.Holds() {
		own := h.ID.Ledger == p.signer.Ledger()
		if own && h.Payee != p.signer.Peer() {
			continue // a promise to another node
		}
		back = append(back, h.ID)
		until := h.Expires.Add(clock.Tolerance)
		if own || len(p.unearned) >= unearnedKept || !now.Before(until) {
			continue
		}
		if p.keep != nil {
			if err := p.keep.Put(unearnedKey(h.ID), binary.BigEndian.AppendUint64(nil, uint64(until.UnixNano()))); err != nil {
				return err
			}
		}
		p.unearned[h.ID] = until
	}
	return p.ledger.RefundAll(back, now)
}

func unearnedKey(id credit.HoldID) string {
	return fmt.Sprintf("%s%s/%x", unearnedPrefix, id.Ledger, id.Nonce)
}

// readUnearned reads which payers had not been told when the program ended.
func (p *Service) readUnearned(now time.Time) error {
	if p.keep == nil {
		return nil
	}
	for _, key := range p.keep.Keys(unearnedPrefix) {
		value, _ := p.keep.Get(key)
		ledger, name, _ := strings.Cut(strings.TrimPrefix(key, unearnedPrefix), "/")
		nonce, err := hex.DecodeString(name)
		if err != nil || len(nonce) != len(credit.Nonce{}) || len(value) != 8 {
			return fmt.Errorf("%w: %q", ErrProof, key)
		}
		id := credit.HoldID{Ledger: identity.LedgerID(ledger), Nonce: credit.Nonce(nonce)}
		until := time.Unix(0, int64(binary.BigEndian.Uint64(value)))
		if p.unearned[id] = until; !now.Before(until) {
			if err := p.told(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// Unearned returns, by signer, the vouchers that this node held when it ended and will never
// bill, and whose signers have not been told so. It is empty once all have been told or the
// vouchers have expired.
func (p *Service) Unearned(now time.Time) map[identity.PeerID][]credit.HoldID {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[identity.PeerID][]credit.HoldID)
	for id, until := range p.unearned {
		if now.Before(until) {
			payer := identity.PeerID(strings.TrimPrefix(string(id.Ledger), identity.LedgerPrefix))
			out[payer] = append(out[payer], id)
		}
	}
	return out
}

// Told removes vouchers whose signer knows that they are not billed. One that the store cannot
// remove is told again after a restart.
func (p *Service) Told(ids []credit.HoldID) {
	for _, id := range ids {
		_ = p.told(id)
	}
}

func (p *Service) told(id credit.HoldID) error {
	p.mu.Lock()
	delete(p.unearned, id)
	p.mu.Unlock()
	return p.drop([]string{unearnedKey(id)})
}

// TakeBack refunds the hold of a voucher of this node that payee says it will never bill. A hold
// that has ended, or is for another payee, does not change. Errors are those of the ledger's
// log: the payee has to repeat the request.
func (p *Service) TakeBack(nonce credit.Nonce, payee identity.PeerID, now time.Time) error {
	h, open := p.ledger.HoldOf(credit.HoldID{Ledger: p.signer.Ledger(), Nonce: nonce})
	if !open || h.Payee != payee || payee == p.signer.Peer() {
		return nil
	}
	return p.release(h, now)
}

// release refunds a hold and forgets its promise, unless the same node has been promised the
// same job anew. Errors are those of the ledger's log.
func (p *Service) release(h credit.Held, now time.Time) error {
	err := p.ledger.Refund(h.ID, now)
	if errors.Is(err, credit.ErrFailed) || errors.Is(err, credit.ErrBusy) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if of := (promise{h.JobID, h.Payee}); p.promised[of].hold == h.ID {
		delete(p.promised, of)
	}
	return nil
}
