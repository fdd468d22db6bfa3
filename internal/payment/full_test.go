package payment_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
)

// fullLog refuses while it is full.
type fullLog struct {
	credit.MemoryLog
	full atomic.Bool
}

func (l *fullLog) Append(records [][]byte) error {
	if l.full.Load() {
		return errors.New("quota exceeded")
	}
	return l.MemoryLog.Append(records)
}

// What a node earned while its log was full is settled once there is room, though nobody
// opens anything again, and before the hold expires.
func TestEarnedWhileTheLogWasFull(t *testing.T) {
	log := &fullLog{}
	payer, worker := newParty(t, 1), partyOn(t, 2, line, log)
	sub := order(t, payer, 100)
	voucher, err := payer.purse.Promise(payer.admit(t, sub, nil, ""), worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	require.NoError(t, err)
	earning, err := worker.purse.Earn(worker.admit(t, sub, voucher, payer.wallet.Peer()), terms(sub, worker.now), worker.now)
	require.NoError(t, err)
	log.full.Store(true)
	_, err = earning.Collect(work(sub, 30, worker.now), worker.now)
	require.ErrorIs(t, err, credit.ErrFailed)
	require.EqualValues(t, -100, worker.spendable(t, payer.wallet.Ledger()), "still held")
	worker.purse.SettleAgain(worker.now.Add(2 * time.Second))
	require.EqualValues(t, -100, worker.spendable(t, payer.wallet.Ledger()), "still full")

	log.full.Store(false)
	now := worker.now.Add(10 * time.Minute) // the hold's time is over
	worker.purse.SettleAgain(now)
	gone, err := worker.ledger.Expire(now)
	require.NoError(t, err)
	require.Empty(t, gone)
	require.EqualValues(t, -30, worker.spendable(t, payer.wallet.Ledger()))
	require.Len(t, worker.purse.Proofs(), 1, "it can show for it")
	worker.purse.SettleAgain(now)
	require.EqualValues(t, -30, worker.spendable(t, payer.wallet.Ledger()), "once")
}

// watchedLog tells before each entry is written.
type watchedLog struct {
	credit.MemoryLog
	before func()
}

func (l *watchedLog) Append(records [][]byte) error {
	l.before()
	return l.MemoryLog.Append(records)
}

// Nobody is asked after a voucher that has not left yet: it would be refused when it comes.
func TestAPromiseIsNotLostWhileItIsWritten(t *testing.T) {
	log := &watchedLog{before: func() {}}
	payer, worker := partyOn(t, 1, line, log), newParty(t, 2)
	sub := order(t, payer, 100)
	written := 0
	log.before = func() {
		written++
		require.Len(t, payer.ledger.Holds(), 1)
		require.Empty(t, lost(payer.purse, payer.now))
	}
	_, err := payer.purse.Promise(payer.admit(t, sub, nil, ""), worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	require.NoError(t, err)
	require.Equal(t, 1, written)
}

// What could not be refunded while the log was full goes back once there is room, on both
// sides: of a promise that was withdrawn, of a job that did not run, and of one that nothing
// could be kept of.
func TestRefundedWhileTheLogWasFull(t *testing.T) {
	log, far := &fullLog{}, &fullLog{}
	payer, worker := partyOn(t, 1, line, log), partyOn(t, 2, line, far)
	sub := order(t, payer, 100)
	here := payer.admit(t, sub, nil, "")
	voucher, err := payer.purse.Promise(here, worker.wallet.Peer(), terms(sub, payer.now), payer.now)
	require.NoError(t, err)
	earning, err := worker.purse.Earn(worker.admit(t, sub, voucher, payer.wallet.Peer()), terms(sub, worker.now), worker.now)
	require.NoError(t, err)
	log.full.Store(true)
	far.full.Store(true)
	payer.purse.Withdraw(here, worker.wallet.Peer(), payer.now)
	earning.Refund(worker.now)
	require.Len(t, payer.ledger.Holds(), 1)
	require.Len(t, worker.ledger.Holds(), 1)
	log.full.Store(false)
	far.full.Store(false)
	for _, p := range []*party{payer, worker} {
		require.Eventually(t, func() bool {
			p.now = p.now.Add(2 * time.Second) // past the ledger's pause
			p.purse.SettleAgain(p.now)
			return len(p.ledger.Holds()) == 0
		}, time.Minute, time.Millisecond)
	}
	require.Zero(t, payer.spendable(t, payer.wallet.Ledger()))
	require.Zero(t, worker.spendable(t, payer.wallet.Ledger()))
}
