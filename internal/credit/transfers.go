package credit

import (
	"fmt"
	"slices"
	"time"

	"inos/internal/clock"
	"inos/internal/identity"
	"inos/internal/order"
)

// HoldID names a hold: the ledger that pays and the nonce of its voucher.
type HoldID struct {
	Ledger identity.LedgerID
	Nonce  Nonce
}

// OpenAccount makes ledger known, with a credit line in microcredits, or changes the line of a
// known one. The line is never below what the ledger owes: ErrLedgerExhausted. An unproven
// account becomes a regular one.
func (l *Ledger) OpenAccount(ledger identity.LedgerID, line uint64, now time.Time) error {
	return l.byOwner(ledger, now, entry{kind: KindAccount, flags: flagKnown, amount: line})
}

// Grant moves amount from the issue account to ledger. Errors match
// ErrLedgerUnknown or ErrAmount.
func (l *Ledger) Grant(ledger identity.LedgerID, amount uint64, now time.Time) error {
	return l.byOwner(ledger, now, entry{kind: KindGrant, amount: amount})
}

// Withdraw moves amount back to the issue account.
func (l *Ledger) Withdraw(ledger identity.LedgerID, amount uint64, now time.Time) error {
	return l.byOwner(ledger, now, entry{kind: KindWithdraw, amount: amount})
}

// Revoke stops ledger from paying for anything new. Open holds stay. Restore lifts it.
func (l *Ledger) Revoke(ledger identity.LedgerID, now time.Time) error {
	return l.byOwner(ledger, now, entry{kind: KindRevoke, amount: 1})
}

// Restore lifts a revocation.
func (l *Ledger) Restore(ledger identity.LedgerID, now time.Time) error {
	return l.byOwner(ledger, now, entry{kind: KindRevoke})
}

func (l *Ledger) byOwner(ledger identity.LedgerID, now time.Time, e entry) error {
	k, err := l.key(ledger)
	if err != nil {
		return err
	}
	e.ledger = k
	return l.commit(now, &e)
}

// Hold sets amount aside for v's job. The caller answers for v being genuine: a payer calls it
// before its own voucher leaves the node. amount is at most v.MaxAmount. Errors match
// ErrLedgerUnknown, ErrLedgerRevoked, ErrVoucherExpired, ErrVoucherReplayed, ErrVoucherTooSmall,
// or are a *Shortage.
func (l *Ledger) Hold(v Voucher, amount uint64, now time.Time) (HoldID, error) {
	return l.hold(v, amount, nil, now)
}

// hold is Hold, out of reservation r if r is not nil. r is closed in any case.
func (l *Ledger) hold(v Voucher, amount uint64, r *Reservation, now time.Time) (id HoldID, err error) {
	if r != nil {
		defer func() {
			if err != nil {
				r.Release()
			}
		}()
	}
	k, err := l.key(v.LedgerID)
	if err != nil {
		return HoldID{}, err
	}
	job, ok := parseJob(v.JobID)
	if !ok {
		return HoldID{}, fmt.Errorf("%w: %.80q", ErrJobID, v.JobID)
	}
	e := entry{kind: KindHold, amount: amount, job: job, nonce: v.Nonce, ledger: k}
	if v.Payee != "" {
		if e.peer, err = peerKey(v.Payee); err != nil {
			return HoldID{}, err
		}
	}
	if amount > v.MaxAmount {
		return HoldID{}, ErrVoucherTooSmall
	}
	if v.Expires.Sub(now) > l.cfg.MaxVoucherLife+clock.Tolerance {
		return HoldID{}, fmt.Errorf("%w: expires more than %v ahead", ErrVoucherMalformed, l.cfg.MaxVoucherLife)
	}
	if r != nil && (r.key != k || amount > r.amount) {
		return HoldID{}, ErrOverHold
	}
	l.mu.Lock()
	if r != nil && !r.close() {
		l.mu.Unlock()
		return HoldID{}, ErrNoHold
	}
	e.expires = l.nanos(now) + int64(v.Expires.Sub(now)) // by the monotonic clock, if now has one
	b, leads, err := l.join(now, []*entry{&e})
	tell := func() {}
	if r != nil && (err != nil || amount < r.amount) {
		tell = l.freed()
	}
	l.mu.Unlock()
	tell()
	return HoldID{v.LedgerID, v.Nonce}, l.finish(b, leads, err)
}

// HoldVoucher verifies a voucher from elsewhere and holds amount for the job, in one step: of
// two calls with the same voucher one fails with ErrVoucherReplayed. An unknown ledger becomes
// an unproven account. The worker calls it before the job runs. payee is the worker, by is the
// peer that brought the voucher.
func (l *Ledger) HoldVoucher(raw []byte, jobID string, payee identity.PeerID, amount uint64, by Bearer, now time.Time) (HoldID, error) {
	v, err := l.vouchers.open(l.cfg.Codec, raw)
	if err != nil {
		return HoldID{}, err
	}
	if err := v.fits(jobID, payee); err != nil {
		return HoldID{}, err
	}
	if err := l.welcome(v.key, by.Origin, now); err != nil {
		return HoldID{}, err
	}
	l.mu.Lock()
	until, expired := l.until(v, by, now)
	l.mu.Unlock()
	if expired {
		return HoldID{}, v.expired(by, until, now)
	}
	here := v.Voucher
	here.Expires = until
	return l.Hold(here, amount, now)
}

// Welcome makes a ledger whose key the caller has authenticated known, as an unproven account if
// it was not. origin is the network of its owner, zero when unknown. Errors match
// ErrLedgerMalformed or ErrLedgerExhausted.
func (l *Ledger) Welcome(ledger identity.LedgerID, origin string, now time.Time) error {
	k, err := l.key(ledger)
	if err != nil {
		return err
	}
	return l.welcome(k, origin, now)
}

// welcome opens an unproven account for an unknown ledger, and closes another one for it when
// they are full.
func (l *Ledger) welcome(k key, origin string, now time.Time) error {
	l.mu.Lock()
	if l.state.ledger(k) != nil {
		l.mu.Unlock()
		return nil
	}
	victim, ok := l.state.room(l.cfg.MaxStrangers, l.cfg.StrangerAge, l.nanos(now))
	if !ok || l.cfg.StrangerLine == 0 {
		l.mu.Unlock()
		return fmt.Errorf("%w: no credit line for strangers", ErrLedgerExhausted)
	}
	var entries []*entry
	if !victim.zero() {
		entries = append(entries, l.state.closing(victim))
	}
	entries = append(entries, &entry{kind: KindAccount, flags: flagStranger, amount: l.cfg.StrangerLine, ledger: k, nonce: Nonce(networkOf(origin, k))})
	b, leads, err := l.join(now, entries)
	l.mu.Unlock()
	return l.finish(b, leads, err)
}

// Settle pays cost out of a hold to payee and returns the rest. Exactly one of Settle, Refund
// and Expire ever succeeds for a hold. The others return ErrHoldSettled or ErrHoldRefunded, or
// ErrNoHold when the outcome has been forgotten. cost 0 is allowed. Errors match ErrOverHold or
// ErrVoucherWrongPayee too.
func (l *Ledger) Settle(id HoldID, payee identity.PeerID, cost uint64, now time.Time) error {
	k, err := peerKey(payee)
	if err != nil {
		return err
	}
	e := entry{kind: KindSettle, cost: cost, peer: k}
	if k == l.self {
		e.flags = flagOwn
	}
	return l.endHold(id, now, e)
}

// Consume is Settle to Config.Self for what this node uses of a budget that it has set itself.
// The cost cannot be spent again.
func (l *Ledger) Consume(id HoldID, cost uint64, now time.Time) error {
	return l.endHold(id, now, entry{kind: KindSettle, cost: cost, peer: l.self})
}

// Refund returns all of a hold: the job did not run, or nobody owes for it.
func (l *Ledger) Refund(id HoldID, now time.Time) error {
	return l.endHold(id, now, entry{kind: KindRefund})
}

// RefundAll is Refund of many, in as few writes as possible. It skips holds that have ended;
// none is refunded twice.
func (l *Ledger) RefundAll(ids []HoldID, now time.Time) error {
	for part := range slices.Chunk(ids, l.cfg.MaxPending) {
		var keys []holdKey
		for _, id := range part {
			k, err := l.key(id.Ledger)
			if err != nil {
				return err
			}
			keys = append(keys, holdKey{k, id.Nonce})
		}
		var entries []*entry
		l.mu.Lock()
		for _, hk := range keys {
			if h, open := l.state.holds[hk]; open {
				entries = append(entries, &entry{kind: KindRefund, amount: h.amount, job: h.job, nonce: hk.nonce, ledger: hk.ledger})
			}
		}
		b, leads, err := l.join(now, entries)
		l.mu.Unlock()
		if err = l.finish(b, leads, err); err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) endHold(id HoldID, now time.Time, e entry) error {
	k, err := l.key(id.Ledger)
	if err != nil {
		return err
	}
	e.ledger, e.nonce = k, id.Nonce
	l.mu.Lock()
	h := l.state.holds[holdKey{k, id.Nonce}]
	e.amount, e.job = h.amount, h.job
	if l.state.ledger(l.self) == nil {
		e.flags = 0
	}
	b, leads, err := l.join(now, []*entry{&e})
	l.mu.Unlock()
	return l.finish(b, leads, err)
}

// SettleReceipt verifies a worker's receipt, settles the hold of its voucher and returns the
// receipt. Errors are those of Settle, ErrReceiptMalformed, ErrReceiptForged and
// ErrReceiptMismatch.
func (l *Ledger) SettleReceipt(raw []byte, now time.Time) (Receipt, error) {
	r, err := openReceipt(l.cfg.Codec, raw)
	if err != nil {
		return Receipt{}, err
	}
	id := HoldID{r.LedgerID, r.VoucherNonce}
	if h, ok := l.HoldOf(id); ok && h.JobID != r.JobID {
		return Receipt{}, fmt.Errorf("%w: the voucher is for job %s", ErrReceiptMismatch, h.JobID)
	}
	return r, l.Settle(id, r.Worker, r.Cost, now)
}

// Expire refunds every hold that expired more than Grace ago and returns them, soonest first, at
// most 1024 at a time.
func (l *Ledger) Expire(now time.Time) ([]HoldID, error) {
	l.mu.Lock()
	limit := l.nanos(now) - int64(l.cfg.Grace)
	if back := l.state.fallen(l.nanos(now)); back > 0 { // the first entry shifts them all back by that
		limit += max(back, l.back)
	}
	var due []*entry
	for hk, h := range l.state.holds {
		if h.expires <= limit {
			due = append(due, &entry{kind: KindExpire, amount: h.amount, job: h.job, expires: h.expires,
				nonce: hk.nonce, ledger: hk.ledger})
		}
	}
	order.By(due, func(a, b *entry) int {
		if a.expires != b.expires {
			return int(min(max(a.expires-b.expires, -1), 1))
		}
		return slices.Compare(a.nonce[:], b.nonce[:])
	})
	due = due[:min(len(due), 1024, l.cfg.MaxPending)]
	b, leads, err := l.join(now, due)
	l.mu.Unlock()
	if err = l.finish(b, leads, err); err != nil {
		return nil, err
	}
	ids := make([]HoldID, len(due))
	for i, e := range due {
		ids[i] = HoldID{e.ledger.ledger(), e.nonce}
	}
	return ids, nil
}
