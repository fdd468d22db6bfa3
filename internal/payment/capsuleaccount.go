package payment

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/kernel/lifecycle"
)

const (
	// advance is how much capsule time is held ahead for a spawned capsule.
	advance = 10 * time.Second
	// renew is the remaining time at which the next advance is due. It is longer than the
	// interval between two charges.
	renew = 2 * time.Second
	// advanceLife is the time after which an unsettled advance is refunded.
	advanceLife = 5 * time.Minute
)

var _ lifecycle.Upkeep = (*Service)(nil)

// Open implements lifecycle.Upkeep. A capsule of the local console that names no ledger is free.
// Another node's capsule is paid by that node. Only its owner may spend a ledger.
func (p *Service) Open(ledger identity.LedgerID, from identity.PeerID, origin string, rate uint64, now time.Time) (lifecycle.CapsuleAccount, error) {
	if ledger == "" {
		if from == "" {
			return nil, nil
		}
		ledger = identity.LedgerID(identity.LedgerPrefix + string(from))
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("payment: tab: %w", err)
	}
	t := &capsuleAccount{service: p, ledger: ledger, job: id.String(), rate: max(rate, 1)}
	if from != "" && string(ledger) == identity.LedgerPrefix+string(from) {
		// The channel has authenticated the ledger's key, which is as good as a voucher.
		if err := p.ledger.Welcome(ledger, origin, now); err != nil {
			return nil, err
		}
	}
	price := t.price()
	if _, err := p.ledger.Authorize(ledger, t.job, nil, from, p.signer.Peer(), origin, price, price, 0, now); err != nil {
		return nil, err
	}
	return t, t.hold(now)
}

// capsuleAccount is one capsule's account. It always holds one advance, and settles it by the
// time that has run.
type capsuleAccount struct {
	service *Service
	ledger  identity.LedgerID
	job     string // names the capsule in the ledger
	rate    uint64 // microcredits a second
	held    bool
	id      credit.HoldID
	ran     time.Duration // of the advance
}

func (t *capsuleAccount) price() uint64 {
	return credit.Meter{Rate: t.rate, Max: 1 << 60}.Cost(advance)
}

// Ledger implements kernel.Tab.
func (t *capsuleAccount) Ledger() identity.LedgerID { return t.ledger }

func (t *capsuleAccount) hold(now time.Time) error {
	v := credit.Voucher{LedgerID: t.ledger, JobID: t.job, Payee: t.service.signer.Peer(), MaxAmount: t.price(), Expires: now.Add(advanceLife)}
	if _, err := rand.Read(v.Nonce[:]); err != nil {
		return fmt.Errorf("payment: nonce: %w", err)
	}
	id, err := t.service.ledger.Hold(v, v.MaxAmount, now)
	if err != nil {
		return err
	}
	t.held, t.id, t.ran = true, id, 0
	return nil
}

// Charge implements kernel.Tab.
func (t *capsuleAccount) Charge(ran time.Duration, now time.Time) error {
	if t.held {
		if t.ran += ran; t.ran < advance-renew {
			return nil
		}
		if err := t.settle(now); err != nil {
			return fmt.Errorf("payment: %w: %w", lifecycle.ErrNotCharged, err)
		}
	}
	err := t.hold(now)
	for _, dry := range []error{nil, credit.ErrLedgerExhausted, credit.ErrLedgerRevoked, credit.ErrLedgerUnknown} {
		if errors.Is(err, dry) {
			return err
		}
	}
	return fmt.Errorf("payment: %w: %w", lifecycle.ErrNotCharged, err)
}

// settle pays for the part of the advance that has run. An advance that expired before it was
// charged is lost to the node.
func (t *capsuleAccount) settle(now time.Time) error {
	cost := credit.Meter{Rate: t.rate, Max: t.price()}.Cost(t.ran)
	var err error
	if t.ledger == t.service.signer.Ledger() {
		err = t.service.ledger.Consume(t.id, cost, now) // otherwise the capsule would never run dry
	} else {
		err = t.service.ledger.Settle(t.id, t.service.signer.Peer(), cost, now)
	}
	if err != nil && !errors.Is(err, credit.ErrHoldRefunded) && !errors.Is(err, credit.ErrNoHold) {
		return err
	}
	t.held = false
	return nil
}

// Close implements kernel.Tab. An advance that cannot be settled now expires.
func (t *capsuleAccount) Close(ran time.Duration, now time.Time) {
	if !t.held {
		return
	}
	t.ran += ran
	_ = t.settle(now)
}
