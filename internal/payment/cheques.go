package payment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"inos/internal/credit"
	"inos/internal/fault"
	"inos/internal/identity"
)

const (
	chequePrefix = "cheque/" // and the drawer's peer id
	chequesKept  = 4096
)

// ErrCheques says that this node has no room for the promises of more nodes. Retryable when one
// of them has been redeemed.
var ErrCheques = fault.Internal("payment: too many cheques are kept")

// TakeCheque enters a cheque to this node and stores it, since it is the drawer's promise. The
// newest of each drawer is stored: its totals include the earlier ones. Both are durable when it
// returns. Errors match those of credit.Ledger.Take or ErrCheques. credit.ErrChequeStale says
// that this or a newer cheque has been taken, and is stored.
func (p *Service) TakeCheque(raw []byte, now time.Time) (credit.Cheque, error) {
	c, err := p.ledger.Take(raw, p.signer.Peer(), now)
	if err != nil && !errors.Is(err, credit.ErrChequeStale) {
		return c, err
	}
	// A stale cheque is stored too if it is the newest here, since a crash may have come between
	// entering and storing it.
	if kept := p.keepCheque(c, raw); kept != nil {
		return c, kept
	}
	p.sweep(identity.LedgerID(identity.LedgerPrefix+string(c.Drawer)), now)
	return c, err
}

func (p *Service) keepCheque(c credit.Cheque, raw []byte) error {
	if p.keep == nil {
		return nil
	}
	p.drawers.Lock() // one at a time, so that an older cheque is never written last
	defer p.drawers.Unlock()
	key := chequePrefix + string(c.Drawer)
	old, ok := p.keep.Get(key)
	if ok && len(old) >= 8 && binary.BigEndian.Uint64(old) >= c.Sequence {
		return nil
	}
	if all := p.keep.Keys(chequePrefix); !ok && len(all) >= chequesKept {
		spent := p.spent(all)
		if spent == "" {
			return fmt.Errorf("%w: %d", ErrCheques, len(all))
		}
		if err := p.keep.Delete(spent); err != nil {
			return err
		}
	}
	return p.keep.Put(key, append(binary.BigEndian.AppendUint64(nil, c.Sequence), raw...))
}

// spent finds a cheque without an unredeemed promise.
func (p *Service) spent(keys []string) string {
	for _, key := range keys {
		s, err := p.ledger.Standing(identity.PeerID(key[len(chequePrefix):]))
		if err != nil || s.Promised == 0 {
			return key
		}
	}
	return ""
}

// Cheque returns drawer's newest signed cheque; false when none is stored.
func (p *Service) Cheque(drawer identity.PeerID) ([]byte, bool) {
	if p.keep == nil {
		return nil, false
	}
	b, ok := p.keep.Get(chequePrefix + string(drawer))
	if !ok || len(b) < 8 {
		return nil, false
	}
	return b[8:], true
}
