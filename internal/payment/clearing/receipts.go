package clearing

import (
	"context"
	"errors"
	"slices"
	"sync"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
)

const (
	receiptVouchers = 16 // that one node is asked about in a round
	receiptNodes    = 16 // that are asked in a round
)

// AskReceipts asks payees about vouchers whose jobs report no more. Connected nodes, which
// answer at once, come first. A receipt settles the hold, a denial refunds it. A node that does
// not answer delays no other; its holds expire.
func (c *Clearing) AskReceipts(ctx context.Context) {
	lost := c.Payment.Lost(c.Now(), receiptVouchers)
	ask := make([]identity.PeerID, 0, receiptNodes)
	for _, p := range c.Requests.Peers() {
		if id := p.Profile.Peer; len(lost[id]) > 0 && len(ask) < receiptNodes {
			ask = append(ask, id)
		}
	}
	for id := range lost {
		if len(ask) < receiptNodes && !slices.Contains(ask, id) {
			ask = append(ask, id)
		}
	}
	var asked sync.WaitGroup
	for _, id := range ask {
		asked.Go(func() { c.askReceiptsOf(ctx, id, lost[id]) })
	}
	asked.Wait()
}

// askReceiptsOf asks payee about the holds for it.
func (c *Clearing) askReceiptsOf(ctx context.Context, payee identity.PeerID, lost []credit.Held) {
	for _, h := range lost {
		answer, err := c.Requests.Send(ctx, payee, mesh.RequestReceipt, h.ID.Nonce[:])
		switch {
		case errors.Is(err, mesh.ErrUnsent), ctx.Err() != nil:
			return // it cannot be reached
		case err != nil:
		case len(answer) == 0:
			c.Payment.Denied(h, c.Now())
		default:
			_, _ = c.Payment.Late(answer, c.Now()) // a wrong receipt counts as none
		}
	}
}

// answerReceipt answers /inos/receipt/1. The request is the nonce of a voucher of the asker's
// ledger. The answer is the receipt, or empty when there will never be one.
func (c *Clearing) answerReceipt(_ context.Context, from identity.PeerID, body []byte) ([]byte, error) {
	var nonce credit.Nonce
	if len(body) != len(nonce) {
		return nil, mesh.ErrProtocol
	}
	copy(nonce[:], body)
	return c.Payment.Answer(credit.HoldID{Ledger: identity.LedgerID(identity.LedgerPrefix + string(from)), Nonce: nonce})
}
