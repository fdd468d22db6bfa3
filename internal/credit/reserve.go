package credit

import (
	"fmt"
	"time"

	"inos/internal/fault"
	"inos/internal/identity"
)

// Shortage says that a ledger cannot pay a sum now, in microcredits. It matches
// ErrLedgerExhausted. It matches ErrFundsHeld when the sum is covered once the credit holds of
// other jobs are settled: then the same call may succeed later.
type Shortage struct {
	Ledger    identity.LedgerID
	Needed    uint64
	Available uint64
	Held      uint64 // for jobs that are placed, or about to be
}

// Temporary reports whether the sum is covered once nothing is held any more.
func (s *Shortage) Temporary() bool { return s.Needed <= s.Available+s.Held }

// Detail returns the sums and the remedy.
func (s *Shortage) Detail() string {
	sums := fmt.Sprintf("%d microcredits are needed, %d are available and %d are held for other jobs", s.Needed, s.Available, s.Held)
	if s.Temporary() {
		return sums + ": wait until some of them have been settled"
	}
	return fmt.Sprintf("%s: set a smaller budget, or grant %s more (inos.ledger('grant', microcredits) in the console, inos ledger grant on the command line)",
		sums, s.Ledger)
}

// Fault returns ErrFundsHeld or ErrLedgerExhausted.
func (s *Shortage) Fault() *fault.Error {
	if s.Temporary() {
		return ErrFundsHeld
	}
	return ErrLedgerExhausted
}

func (s *Shortage) Error() string { return s.Fault().Error() + ": " + s.Detail() }

// Is matches ErrLedgerExhausted, and ErrFundsHeld if it is temporary.
func (s *Shortage) Is(target error) bool {
	return target == ErrLedgerExhausted || target == ErrFundsHeld && s.Temporary()
}

// Reservation sets a part of a ledger's funds aside for one later hold. It lasts as long as the
// program. Exactly one of Hold and Release has an effect.
type Reservation struct {
	l      *Ledger
	ledger identity.LedgerID
	key    key
	amount uint64
	open   bool // under the ledger's lock
}

// Amount is what is set aside, in microcredits.
func (r *Reservation) Amount() uint64 { return r.amount }

// Reserve sets amount of ledger's funds aside. When ledger could never spend amount, it sets
// aside all that ledger could ever spend, if that is at least least. What is held for other jobs
// counts towards that total, and has to be released first. It does not block and writes nothing.
// Errors match ErrLedgerUnknown, ErrLedgerRevoked, ErrAmount, or are a *Shortage.
func (l *Ledger) Reserve(ledger identity.LedgerID, amount, least uint64) (*Reservation, error) {
	k, err := l.key(ledger)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.state.ledger(k)
	switch {
	case a == nil:
		return nil, ErrLedgerUnknown
	case a.revoked:
		return nil, ErrLedgerRevoked
	case amount == 0 || amount > maxAmount:
		return nil, ErrAmount
	}
	available, held := l.spendable(k, a)
	if all := available + held; all < amount && all >= max(least, 1) {
		amount = all
	}
	if err := l.covers(k, a, amount); err != nil {
		return nil, err
	}
	l.reserved[k] += amount
	return &Reservation{l: l, ledger: ledger, key: k, amount: amount, open: true}, nil
}

// Hold turns the reservation into a hold, as Ledger.Hold does. amount is at most what is set
// aside. The rest is released, and all of it after an error.
func (r *Reservation) Hold(v Voucher, amount uint64, now time.Time) (HoldID, error) {
	return r.l.hold(v, amount, r, now)
}

// Split moves amount into a reservation of its own. r must be open and at least as large.
func (r *Reservation) Split(amount uint64) *Reservation {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	part := &Reservation{l: r.l, ledger: r.ledger, key: r.key, amount: min(amount, r.amount), open: r.open}
	r.amount -= part.amount
	return part
}

// Release gives the reservation back unless it has become a hold. Calling it again is harmless.
func (r *Reservation) Release() {
	r.l.mu.Lock()
	tell := func() {}
	if r.close() {
		tell = r.l.freed()
	}
	r.l.mu.Unlock()
	tell()
}

// close ends the reservation and reports whether it was open. The caller holds the lock.
func (r *Reservation) close() bool {
	if !r.open {
		return false
	}
	r.open = false
	if r.l.reserved[r.key] -= r.amount; r.l.reserved[r.key] == 0 {
		delete(r.l.reserved, r.key)
	}
	return true
}

// spendable returns what a ledger may spend now, and what is held or reserved of it. The caller
// holds the lock.
func (l *Ledger) spendable(k key, a *account) (available, held uint64) {
	reserved := l.reserved[k]
	available = l.state.available(k, a)
	if a.stranger {
		own := uint64(max(a.balance-int64(l.state.promised(k)), 0))
		available = min(available, own+l.strangersRoom(a.network))
	}
	return available - min(available, reserved), a.held + reserved
}

// covers returns a *Shortage when a ledger cannot pay amount now. The caller holds the lock.
func (l *Ledger) covers(k key, a *account, amount uint64) error {
	available, held := l.spendable(k, a)
	if amount <= available {
		return nil
	}
	l.short = true
	return &Shortage{Ledger: k.ledger(), Needed: amount, Available: available, Held: held}
}

// OnFreed sets the function that is called when funds may have become available after a refusal:
// a hold ended, a reservation was released, or a ledger was granted credits. f must not block.
// It replaces the one before.
func (l *Ledger) OnFreed(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onFreed = f
}

// freed returns the function to call, without the lock, after funds were released. The caller
// holds the lock.
func (l *Ledger) freed() func() {
	if !l.short || l.onFreed == nil {
		return func() {}
	}
	l.short = false
	return l.onFreed
}
