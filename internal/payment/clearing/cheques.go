package clearing

import (
	"context"
	"errors"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
)

const (
	// clearAt is the smallest debt to another node that is cleared by a cheque: one credit, in
	// microcredits.
	clearAt = 1_000_000
	// unsentNodes bounds the nodes that are remembered because a cheque did not arrive.
	unsentNodes = 1024
)

// SendCheques sends cheques to the connected nodes to which this one owes at least clearAt, or
// whose last cheque did not arrive.
func (c *Clearing) SendCheques(ctx context.Context) {
	for _, p := range c.Requests.Peers() {
		id := p.Profile.Peer
		s, err := c.Ledger.Standing(id)
		if err != nil || s.Owed < clearAt && !c.isUnsent(id) || ctx.Err() != nil {
			continue
		}
		cheque, err := c.Ledger.Draw(c.Signer, id, c.Now())
		if errors.Is(err, credit.ErrAmount) {
			cheque, err = c.Ledger.Redraw(c.Signer, id, c.Now())
		}
		if err != nil {
			continue
		}
		_, err = c.Requests.Send(ctx, id, mesh.RequestCheque, cheque)
		c.setUnsent(id, err != nil) // a cheque repeats the totals of those before it
	}
}

func (c *Clearing) isUnsent(id identity.PeerID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsent[id]
}

func (c *Clearing) setUnsent(id identity.PeerID, unsent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !unsent:
		delete(c.unsent, id)
	case len(c.unsent) < unsentNodes:
		c.unsent[id] = true
	}
}

// takeCheque answers /inos/cheque/1. A repeated cheque is accepted as well: its drawer missed
// the first answer.
func (c *Clearing) takeCheque(_ context.Context, from identity.PeerID, body []byte) ([]byte, error) {
	cheque, err := c.Payment.TakeCheque(body, c.Now())
	if errors.Is(err, credit.ErrChequeStale) {
		return nil, nil
	}
	if err == nil && cheque.Drawer != from {
		return nil, nil // a cheque is valid whoever carried it
	}
	return nil, err
}
