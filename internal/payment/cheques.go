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

// ErrCheques says that more nodes' promises are kept than this node has room for.
// Retryable when one of them has been spent.
var ErrCheques = fault.Internal("payment: too many cheques are kept")

// TakeCheque books a cheque to this node and keeps it: it is the drawer's promise.
// Of each drawer the newest is kept, whose totals say what the others said. Both are
// durable when it returns. Errors match those of credit.Ledger.Take or ErrCheques;
// credit.ErrChequeStale says that this or a newer one has been taken, and is kept.
func (p *Service) TakeCheque(raw []byte, now time.Time) (credit.Cheque, error) {
	c, err := p.ledger.Take(raw, p.signer.Peer(), now)
	if err != nil && !errors.Is(err, credit.ErrChequeStale) {
		return c, err
	}
	// A stale one is kept too if it is the newest here: a crash may have come between
	// the two.
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
	p.drawers.Lock() // one at a time: an older one must not come last
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

// spent finds a cheque that promises nothing more.
func (p *Service) spent(keys []string) string {
	for _, key := range keys {
		s, err := p.ledger.Standing(identity.PeerID(key[len(chequePrefix):]))
		if err != nil || s.Promised == 0 {
			return key
		}
	}
	return ""
}

// Cheque is drawer's newest cheque, as it was signed; false when none is kept.
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
