// Package clearing settles with other nodes in the background. It asks about vouchers whose jobs
// report no more, sends cheques for what is owed, tells payers which vouchers will never be
// billed, and refunds expired holds. payment and credit keep the accounts; clearing only
// connects them with the mesh.
package clearing

import (
	"context"
	"sync"
	"time"

	"inos/internal/background"
	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel"
	"inos/internal/mesh"
	"inos/internal/payment"
)

const (
	expireEvery  = 10 * time.Second
	receiptEvery = 5 * time.Second
	chequeEvery  = time.Minute
	// requestTime is the time limit of a round of requests.
	requestTime = 10 * time.Second
)

// Requests sends requests to other nodes. *request.Exchange implements it.
type Requests interface {
	Peers() []mesh.Peer
	Send(ctx context.Context, p identity.PeerID, name string, body []byte) (answer []byte, err error)
}

// Config of a Clearing. Every field is required.
type Config struct {
	Payment  *payment.Service
	Ledger   *credit.Ledger
	Signer   *credit.Signer
	Requests Requests
	// Subscribe delivers the kernel's events until cancel. Clearing uses those about
	// connections.
	Subscribe func(buffer int) (events <-chan kernel.Event, cancel func())
	Now       func() time.Time
}

// Clearing settles for one node. Its answers are safe for concurrent use.
type Clearing struct {
	Config

	mu     sync.Mutex
	unsent map[identity.PeerID]bool // nodes whose last cheque did not arrive
}

// New returns a Clearing. It starts nothing.
func New(cfg Config) *Clearing {
	return &Clearing{Config: cfg, unsent: make(map[identity.PeerID]bool)}
}

// Answers returns the requests that a Clearing answers, by name.
func (c *Clearing) Answers() map[string]mesh.RequestFunc {
	return map[string]mesh.RequestFunc{
		mesh.RequestReceipt: c.answerReceipt, mesh.RequestCheque: c.takeCheque, mesh.RequestUnearned: c.takeUnearned,
	}
}

// Run works until ctx ends, and returns when everything that it started has ended.
func (c *Clearing) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { background.Every(ctx, expireEvery, expireEvery, c.expire) })
	work.Go(func() { background.Every(ctx, receiptEvery, requestTime, c.AskReceipts) })
	work.Go(func() { background.Every(ctx, chequeEvery, requestTime, c.SendCheques) })
	work.Go(func() { c.tellUnearned(ctx) })
}

// expire refunds expired holds. A write that fails is tried again.
func (c *Clearing) expire(context.Context) {
	now := c.Now()
	c.Payment.SettleAgain(now)
	_, _ = c.Ledger.Expire(now)
}
