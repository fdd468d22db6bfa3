package clearing

import (
	"context"
	"time"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh"
)

const (
	// unearnedAgain is how long after a failed request the next one is sent.
	unearnedAgain = 2 * time.Second
	// unearnedVouchers bounds the vouchers of one request, 16 bytes each.
	unearnedVouchers = 1024
)

// tellUnearned tells the payers of the vouchers that this node held when it ended that it will
// never bill them, each as soon as it is connected. It returns once all have been told or the
// vouchers have expired, or with ctx.
func (c *Clearing) tellUnearned(ctx context.Context) {
	if len(c.Payment.Unearned(c.Now())) == 0 {
		return
	}
	events, cancel := c.Subscribe(64)
	defer cancel()
	again := time.NewTicker(unearnedAgain)
	defer again.Stop()
	for {
		left := c.Payment.Unearned(c.Now())
		if len(left) == 0 {
			return
		}
		c.tellConnected(ctx, left)
		for met := false; !met; {
			select {
			case e := <-events:
				_, met = e.(kernel.PeerConnected)
			case <-again.C: // events and requests may both be lost
				met = true
			case <-ctx.Done():
				return
			}
		}
	}
}

// tellConnected tells the connected payers.
func (c *Clearing) tellConnected(ctx context.Context, left map[identity.PeerID][]credit.HoldID) {
	for _, p := range c.Requests.Peers() {
		ids := left[p.Profile.Peer]
		ids = ids[:min(len(ids), unearnedVouchers)]
		if len(ids) == 0 {
			continue
		}
		var body []byte
		for _, id := range ids {
			body = append(body, id.Nonce[:]...)
		}
		one, cancel := context.WithTimeout(ctx, requestTime)
		if _, err := c.Requests.Send(one, p.Profile.Peer, mesh.RequestUnearned, body); err == nil {
			c.Payment.Told(ids)
		}
		cancel()
	}
}

// takeUnearned answers /inos/unearned/1. The request is the nonces of vouchers of this node that
// their payee will never bill. An empty answer confirms it.
func (c *Clearing) takeUnearned(_ context.Context, from identity.PeerID, body []byte) ([]byte, error) {
	var nonce credit.Nonce
	if len(body)%len(nonce) != 0 || len(body) > unearnedVouchers*len(nonce) {
		return nil, mesh.ErrProtocol
	}
	for ; len(body) > 0; body = body[len(nonce):] {
		copy(nonce[:], body)
		if err := c.Payment.TakeBack(nonce, from, c.Now()); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
