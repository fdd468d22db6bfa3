package credit

import (
	"fmt"
	"time"

	"inos/internal/clock"
	"inos/internal/identity"
)

// Bearer is who brings a voucher, authenticated by the channel, on which network, zero when
// that is not known, and how far its clock is ahead of this node's. What the ledger's own node brings is told by that node's clock:
// that it may lie about it gains it nothing that it could not have without a voucher. What
// others bring is told by this node's clock, with no tolerance, and must expire later than
// any that has been forgotten: a clock that falls back makes no used voucher good again.
type Bearer struct {
	Peer   identity.PeerID
	Origin string
	Ahead  time.Duration
}

// until is when v expires, by this node's clock, and whether it has. The caller holds the
// lock.
func (l *Ledger) until(v *openVoucher, by Bearer, now time.Time) (until time.Time, expired bool) {
	if v.ownedBy(by.Peer) {
		until = clock.Here(v.Expires, by.Ahead, now)
	} else {
		until = clock.Here(v.Expires, 0, now)
		expired = clock.UnixNano(v.Expires) <= l.state.spent.before
	}
	return until, expired || !until.After(now)
}

// ownedBy reports whether the ledger is that of peer's own node. Both are the key's only
// spelling: open has compared the one, the channel has made the other.
func (v *openVoucher) ownedBy(peer identity.PeerID) bool {
	return string(v.LedgerID[len(identity.LedgerPrefix):]) == string(peer)
}

// Expired is an ErrVoucherExpired that says when, and by whose clock.
type Expired struct {
	Late  time.Duration // since it expired; negative: this ledger had seen that, before its clock was put back
	Ahead time.Duration // of its owner's clock, by which that is told
}

func (e *Expired) Error() string { return ErrVoucherExpired.Error() + ": " + e.Detail() }

// Unwrap makes it an ErrVoucherExpired.
func (e *Expired) Unwrap() error { return ErrVoucherExpired }

// Detail is what governance tells besides the code.
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

// expired is the error of a voucher that by brought.
func (v *openVoucher) expired(by Bearer, until, now time.Time) error {
	e := &Expired{Late: now.Sub(until)}
	if v.ownedBy(by.Peer) {
		e.Ahead = by.Ahead
	}
	return e
}
