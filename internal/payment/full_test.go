package payment_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/testkit/accounts"
)

// errFull is the error of a log without room.
var errFull = errors.New("quota exceeded")

// What a node earned while its log was full is settled once there is room, without reopening,
// and before the hold expires.
func TestEarnedWhileTheLogWasFull(t *testing.T) {
	log := &accounts.FullLog{}
	payer, worker := accounts.New(t, 1), accounts.Open(t, accounts.Config{Key: 2, Log: log})
	sub := payer.Order(t, 100)
	voucher, err := payer.Payment.Promise(payer.Admit(t, sub, nil, ""), worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
	require.NoError(t, err)
	earning, err := worker.Payment.Earn(worker.Admit(t, sub, voucher, payer.Signer.Peer()), accounts.Terms(sub, worker.Now), worker.Now)
	require.NoError(t, err)
	log.Fail(errFull)
	_, err = earning.Collect(accounts.Work(sub, 30, worker.Now), worker.Now)
	require.ErrorIs(t, err, credit.ErrFailed)
	require.EqualValues(t, -100, worker.Balance(t, payer.Signer.Ledger()), "still held")
	worker.Payment.SettleAgain(worker.Now.Add(2 * time.Second))
	require.EqualValues(t, -100, worker.Balance(t, payer.Signer.Ledger()), "still full")

	log.Fail(nil)
	now := worker.Now.Add(10 * time.Minute) // the hold's time is over
	worker.Payment.SettleAgain(now)
	gone, err := worker.Ledger.Expire(now)
	require.NoError(t, err)
	require.Empty(t, gone)
	require.EqualValues(t, -30, worker.Balance(t, payer.Signer.Ledger()))
	require.Len(t, worker.Payment.Proofs(), 1, "it can show for it")
	worker.Payment.SettleAgain(now)
	require.EqualValues(t, -30, worker.Balance(t, payer.Signer.Ledger()), "once")
}

// hookedLog calls a function before each entry is written.
type hookedLog struct {
	credit.MemoryLog
	before func()
}

func (l *hookedLog) Append(records [][]byte) error {
	l.before()
	return l.MemoryLog.Append(records)
}

// A voucher that has not been sent yet is not asked about: its payee would then refuse it on
// arrival.
func TestAPromiseIsNotLostWhileItIsWritten(t *testing.T) {
	log := &hookedLog{before: func() {}}
	payer, worker := accounts.Open(t, accounts.Config{Key: 1, Log: log}), accounts.New(t, 2)
	sub := payer.Order(t, 100)
	written := 0
	log.before = func() {
		written++
		require.Len(t, payer.Ledger.Holds(), 1)
		require.Empty(t, lost(payer.Payment, payer.Now))
	}
	_, err := payer.Payment.Promise(payer.Admit(t, sub, nil, ""), worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
	require.NoError(t, err)
	require.Equal(t, 1, written)
}

// Refunds that failed while the log was full are made once there is room, on both sides: of a
// withdrawn promise, of a job that did not run, and of one whose proof could not be stored.
func TestRefundedWhileTheLogWasFull(t *testing.T) {
	log, far := &accounts.FullLog{}, &accounts.FullLog{}
	payer, worker := accounts.Open(t, accounts.Config{Key: 1, Log: log}), accounts.Open(t, accounts.Config{Key: 2, Log: far})
	sub := payer.Order(t, 100)
	here := payer.Admit(t, sub, nil, "")
	voucher, err := payer.Payment.Promise(here, worker.Signer.Peer(), accounts.Terms(sub, payer.Now), payer.Now)
	require.NoError(t, err)
	earning, err := worker.Payment.Earn(worker.Admit(t, sub, voucher, payer.Signer.Peer()), accounts.Terms(sub, worker.Now), worker.Now)
	require.NoError(t, err)
	log.Fail(errFull)
	far.Fail(errFull)
	payer.Payment.Withdraw(here, worker.Signer.Peer(), payer.Now)
	earning.Refund(worker.Now)
	require.Len(t, payer.Ledger.Holds(), 1)
	require.Len(t, worker.Ledger.Holds(), 1)
	log.Fail(nil)
	far.Fail(nil)
	for _, p := range []*accounts.Party{payer, worker} {
		require.Eventually(t, func() bool {
			p.Now = p.Now.Add(2 * time.Second) // past the ledger's pause
			p.Payment.SettleAgain(p.Now)
			return len(p.Ledger.Holds()) == 0
		}, time.Minute, time.Millisecond)
	}
	require.Zero(t, payer.Balance(t, payer.Signer.Ledger()))
	require.Zero(t, worker.Balance(t, payer.Signer.Ledger()))
}
