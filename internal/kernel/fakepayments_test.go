package kernel

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"inos/internal/capsule"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit/blobs"
	"inos/internal/threads/watcher"
)

// countingPayments pays and earns without money, and counts.
type countingPayments struct {
	calls, promised, paid, withdrawn, givenUp, holds, earned, refunded atomic.Int64

	refusal error // of Pay
	last    Work  // that was collected
	pays    func(governance.Admitted) bool
	until   time.Duration // what is earned expires then; 0 means an hour
}

func (w *countingPayments) Reserve(_ identity.LedgerID, amount, _ uint64) (Funds, error) {
	return countingFunds(amount), nil
}

func (w *countingPayments) OnFreed(func()) {}

// countingFunds are as much as one likes.
type countingFunds uint64

func (f countingFunds) Amount() uint64            { return uint64(f) }
func (f countingFunds) Split(amount uint64) Funds { return countingFunds(amount) }
func (countingFunds) Release()                    {}

func (w *countingPayments) Promise(governance.Admitted, identity.PeerID, Terms, time.Time) ([]byte, error) {
	w.calls.Add(1)
	w.promised.Add(1)
	return []byte("voucher"), nil
}

func (w *countingPayments) Pay(governance.Admitted, mesh.JobOutcome, time.Duration, time.Time) error {
	w.calls.Add(1)
	if w.refusal != nil {
		return w.refusal
	}
	w.paid.Add(1)
	return nil
}

func (w *countingPayments) Withdraw(governance.Admitted, identity.PeerID, time.Time) {
	w.calls.Add(1)
	w.withdrawn.Add(1)
}

func (w *countingPayments) GiveUp(governance.Admitted, identity.PeerID) {
	w.calls.Add(1)
	w.givenUp.Add(1)
}

func (w *countingPayments) Earn(a governance.Admitted, _ Terms, _ time.Time) (Earning, error) {
	w.calls.Add(1)
	w.holds.Add(1)
	return countingEarning{w, w.pays != nil && w.pays(a)}, nil
}

type countingEarning struct {
	*countingPayments
	payer bool
}

func (e countingEarning) Pays() bool { return e.payer }

func (e countingEarning) Collect(w Work, _ time.Time) ([]byte, error) {
	e.last = w
	e.earned.Add(1)
	return []byte("receipt"), nil
}

func (e countingEarning) Refund(time.Time) { e.refunded.Add(1) }

func (e countingEarning) Until() time.Time {
	if e.until > 0 {
		return time.Now().Add(e.until)
	}
	return time.Now().Add(time.Hour)
}

func watcherBattery(level float64) watcher.Signal { return watcher.Battery{Level: level} }

// countingBlobs is an empty blob store that counts what it is asked.
type countingBlobs struct {
	blobs.Store
	calls atomic.Int64
}

func (s *countingBlobs) Has(cid capsule.CID) bool {
	s.calls.Add(1)
	return s.Store.Has(cid)
}

func (s *countingBlobs) Capsule(ctx context.Context, cid capsule.CID) (mesh.Blob, error) {
	s.calls.Add(1)
	return s.Store.Capsule(ctx, cid)
}

func (s *countingBlobs) Accept(b mesh.Blob) error {
	s.calls.Add(1)
	return s.Store.Accept(b)
}

// randomSignal is anything a host or a capsule may report.
func randomSignal(rng *rand.Rand) watcher.Signal {
	id := fmt.Sprintf("capsule-%d", rng.IntN(100))
	switch k := rng.IntN(100); {
	case k < 5:
		return watcher.Activity{}
	case k < 15:
		return watcher.Battery{Level: rng.Float64()}
	case k < 20:
		return watcher.Visibility{Visible: rng.IntN(2) == 0}
	case k < 22:
		return watcher.Ended{CapsuleID: id, Reason: "test"}
	}
	return watcher.Heartbeat{Heartbeat: capsule.Heartbeat{CapsuleID: id, Congested: rng.IntN(10) == 0, Status: capsule.Healthy}}
}
