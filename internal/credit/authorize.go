package credit

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"inos/internal/clock"
	"inos/internal/identity"
)

// Authorize returns how much of a job ledger covers: amount, or, when amount is 0, as much as
// the voucher and the balance allow, up to ceiling. It reserves nothing and does not block.
// Credit holds of other jobs count as available to a job of the local console (from is zero),
// which waits until they are released. A job from elsewhere is refused with ErrFundsHeld until
// then. Without a voucher only the local console and the ledger's own node may spend. A zero
// payee means that any node may be paid. origin and ahead are Bearer's fields for from.
func (l *Ledger) Authorize(ledger identity.LedgerID, jobID string, voucher []byte, from, payee identity.PeerID, origin string,
	amount, ceiling uint64, ahead time.Duration, now time.Time) (covered uint64, err error) {
	var v *openVoucher
	var owner key
	by := Bearer{Peer: from, Origin: origin, Ahead: ahead}
	if voucher != nil {
		if v, err = l.vouchers.open(l.cfg.Codec, voucher); err != nil {
			return 0, err
		}
		if v.LedgerID != ledger {
			return 0, fmt.Errorf("%w: it is of another ledger", ErrVoucherForged)
		}
		if err = v.fits(jobID, payee); err != nil {
			return 0, err
		}
		owner = v.key
	} else if owner, err = l.key(ledger); err != nil {
		return 0, err
	}

	l.mu.Lock()
	a := l.state.ledger(owner)
	var available, held uint64
	revoked, used := false, false
	if a != nil {
		available, held = l.spendable(owner, a)
		revoked = a.revoked
	} else if v != nil {
		if _, ok := l.state.room(l.cfg.MaxStrangers, l.cfg.StrangerAge, l.nanos(now)); ok {
			available = min(l.cfg.StrangerLine, l.strangersRoom(networkOf(origin, owner)))
		}
	}
	expired := false
	var until time.Time
	if v != nil {
		hk := holdKey{owner, v.Nonce}
		_, used = l.state.holds[hk]
		used = used || l.state.spent.of[v.spent] != 0
		until, expired = l.until(v, by, now)
	}
	l.mu.Unlock()

	if revoked {
		return 0, ErrLedgerRevoked
	}
	limit := min(ceiling, available+held)
	if v == nil {
		if a == nil {
			return 0, ErrLedgerUnknown
		}
		if from != "" && string(ledger[len(identity.LedgerPrefix):]) != string(from) {
			return 0, ErrVoucherMissing
		}
	} else {
		if expired {
			return 0, v.expired(by, until, now)
		}
		if until.Sub(now) > l.cfg.MaxVoucherLife+clock.Tolerance {
			return 0, fmt.Errorf("%w: expires more than %v ahead", ErrVoucherMalformed, l.cfg.MaxVoucherLife)
		}
		if used {
			return 0, ErrVoucherReplayed
		}
		if amount > v.MaxAmount {
			return 0, ErrVoucherTooSmall
		}
		limit = min(limit, v.MaxAmount)
	}
	asked := amount
	if amount == 0 {
		amount = limit
	}
	missing := amount == 0 || amount > available+held
	if from != "" && !missing { // a partial run is no use where a whole one is possible soon
		missing = available == 0 || asked > available
	}
	if missing {
		return 0, &Shortage{Ledger: ledger, Needed: max(asked, 1), Available: available, Held: held}
	}
	return amount, nil
}

// key parses a ledger id. The keys of known accounts are cached.
func (l *Ledger) key(ledger identity.LedgerID) (key, error) {
	l.mu.Lock()
	k, ok := l.names[ledger]
	l.mu.Unlock()
	if ok {
		return k, nil
	}
	pub, err := ledger.PublicKey()
	if err != nil {
		return key{}, fmt.Errorf("%w: %v", ErrLedgerMalformed, err)
	}
	k = key(pub)
	l.mu.Lock()
	if l.state.ledger(k) != nil {
		if len(l.names) > 2*len(l.state.accounts)+64 { // remove names of forgotten accounts
			clear(l.names)
		}
		l.names[ledger] = k
	}
	l.mu.Unlock()
	return k, nil
}

// openVoucher is a voucher whose signature has been verified.
type openVoucher struct {
	Voucher
	key   key // the ledger's
	spent usedKey
}

func (v *openVoucher) fits(jobID string, payee identity.PeerID) error {
	if v.JobID != jobID {
		return ErrVoucherWrongJob
	}
	if v.Payee != "" && payee != "" && v.Payee != payee {
		return ErrVoucherWrongPayee
	}
	return nil
}

// voucherCache remembers vouchers by their exact bytes, so that a signature is
// verified once. Two generations bound it: when the young one is full it becomes the old one.
type voucherCache struct {
	mu         sync.Mutex
	young, old map[string]*openVoucher
}

const (
	voucherGeneration = 2048
	// MaxVoucher is the longest signed voucher that is decoded, in bytes. Real ones have about
	// 450.
	MaxVoucher = 2048
)

func (c *voucherCache) init() { c.young = make(map[string]*openVoucher) }

// open verifies raw, or returns the result of an earlier call. The result is shared and read-only.
func (c *voucherCache) open(codec Codec, raw []byte) (*openVoucher, error) {
	if len(raw) > MaxVoucher {
		return nil, fmt.Errorf("%w: %d bytes", ErrVoucherMalformed, len(raw))
	}
	c.mu.Lock()
	v := c.young[string(raw)]
	if v == nil {
		if v = c.old[string(raw)]; v != nil {
			c.keep(string(raw), v)
		}
	}
	c.mu.Unlock()
	if v != nil {
		return v, nil
	}
	voucher, signer, err := codec.OpenVoucher(raw)
	switch {
	case errors.Is(err, ErrSignature):
		return nil, ErrVoucherForged
	case err != nil:
		return nil, fmt.Errorf("%w: %v", ErrVoucherMalformed, err)
	case identity.LedgerID(identity.LedgerPrefix+string(signer)) != voucher.LedgerID:
		return nil, ErrVoucherForged
	}
	if voucher.MaxAmount == 0 || voucher.MaxAmount > maxAmount {
		return nil, fmt.Errorf("%w: amount %d", ErrVoucherMalformed, voucher.MaxAmount)
	}
	if y := voucher.Expires.Year(); y < 1970 || y > 2200 {
		return nil, fmt.Errorf("%w: expiry", ErrVoucherMalformed)
	}
	v = &openVoucher{Voucher: voucher}
	if v.key, err = peerKey(signer); err != nil {
		return nil, ErrVoucherForged
	}
	v.spent = holdKey{v.key, voucher.Nonce}.used()
	c.mu.Lock()
	c.keep(string(raw), v)
	c.mu.Unlock()
	return v, nil
}

func (c *voucherCache) keep(raw string, v *openVoucher) {
	if len(c.young) >= voucherGeneration {
		c.old, c.young = c.young, make(map[string]*openVoucher, voucherGeneration)
	}
	c.young[raw] = v
}
