package credit

import (
	"fmt"
	"time"

	"inos/internal/clock"
	"inos/internal/identity"
)

// Bearer is the peer that brings a voucher. Peer is authenticated by the channel. Origin is its
// network, zero when unknown. Ahead is how far its clock is ahead of this node's. Expiry of a
// voucher that the ledger's own node brings is judged by that node's clock: it could spend
// without a voucher anyway, so a false clock gains it nothing. Expiry of any other is judged by
// this node's clock, without tolerance, and must be later than that of every used voucher
// already forgotten: a clock that is set back makes no used voucher valid again.
type Bearer struct {
	Peer   identity.PeerID
	Origin string
	Ahead  time.Duration
}

// until returns when v expires by this node's clock, and whether it has expired. The caller
// holds the lock.
func (l *Ledger) until(v *openVoucher, by Bearer, now time.Time) (until time.Time, expired bool) {
	if v.ownedBy(by.Peer) {
		until = clock.Here(v.Expires, by.Ahead, now)
	} else {
		until = clock.Here(v.Expires, 0, now)
		expired = clock.UnixNano(v.Expires) <= l.state.spent.before
	}
	return until, expired || !until.After(now)
}

// ownedBy reports whether peer's own node owns the ledger. The ids can be compared as text: open
// has checked the spelling of the one, the channel has made the other.
func (v *openVoucher) ownedBy(peer identity.PeerID) bool {
	return string(v.LedgerID[len(identity.LedgerPrefix):]) == string(peer)
}

// Expired is an ErrVoucherExpired with the time since expiry and the clock that it was judged
// by.
type Expired struct {
	Late  time.Duration // since expiry; negative: the voucher had expired before this ledger's clock was set back
	Ahead time.Duration // lead of the owner's clock, by which expiry was judged
}

func (e *Expired) Error() string { return ErrVoucherExpired.Error() + ": " + e.Detail() }

// Unwrap returns ErrVoucherExpired.
func (e *Expired) Unwrap() error { return ErrVoucherExpired }

// Detail is the text that governance adds to the code.
func (e *Expired) Detail() string {
	late := e.Late.Round(time.Second)
	switch {
	case e.Late < 0:
		return "it was seen to expire before this node's clock was put back; its owner's node can bring a new one"
	case e.Ahead.Abs() > clock.Tolerance:
		return fmt.Sprintf("%v ago by its owner's clock, which is %v", late, clock.Words(e.Ahead, "this node's"))
	}
	return fmt.Sprintf("%v ago", late)
}

// expired returns the error for an expired voucher that by brought.
func (v *openVoucher) expired(by Bearer, until, now time.Time) error {
	e := &Expired{Late: now.Sub(until)}
	if v.ownedBy(by.Peer) {
		e.Ahead = by.Ahead
	}
	return e
}
