package credit

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/fault"
	"inos/internal/testkit"
)

// fullLog refuses records while it is full.
type fullLog struct {
	MemoryLog
	mu    sync.Mutex
	full  error
	tries int
	gate  chan struct{} // nil: open
}

func (l *fullLog) Append(records [][]byte) error {
	l.mu.Lock()
	full, gate := l.full, l.gate
	l.tries++
	l.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if full != nil {
		return full
	}
	return l.MemoryLog.Append(records)
}

func (l *fullLog) set(full error) {
	l.mu.Lock()
	l.full = full
	l.mu.Unlock()
}

// A log is full for a while. Acknowledged entries stay. Refused ones fail by name, retryably,
// and move nothing. The log is not retried without a pause. Once it has room, the ledger
// continues without being opened again.
func TestLedgerGoesOnWhenTheLogDoes(t *testing.T) {
	log := &fullLog{}
	l, err := OpenLedger(Config{Log: log, Codec: plainCodec{}})
	require.NoError(t, err)
	now := time.Unix(1_800_000_000, 0)
	require.NoError(t, l.OpenAccount(testkit.Ledger(1), 0, now))
	require.NoError(t, l.Grant(testkit.Ledger(1), 100, now))
	entries, head := l.Head()

	full := errors.New("quota exceeded")
	log.set(full)
	v := Voucher{LedgerID: testkit.Ledger(1), JobID: testJob(1), MaxAmount: 60, Expires: now.Add(time.Minute), Nonce: Nonce{1}}
	_, err = l.Hold(v, 60, now)
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, err, full, "it says why")
	var named *fault.Error
	require.ErrorAs(t, err, &named)
	require.Equal(t, "log_failed", named.Code())
	require.True(t, named.Retryable())
	b, ok := l.Balance(testkit.Ledger(1))
	require.True(t, ok)
	require.EqualValues(t, 100, b.Available(), "a hold that was refused holds nothing")
	n, h := l.Head()
	require.Equal(t, entries, n)
	require.Equal(t, head, h)

	tries := log.tries
	for range 100 {
		require.ErrorIs(t, l.Grant(testkit.Ledger(1), 1, now), ErrFailed)
	}
	require.Equal(t, tries, log.tries, "within the pause the log is left alone")
	for pause := firstPause; pause < longestPause; pause *= 2 {
		now = now.Add(pause)
		require.ErrorIs(t, l.Grant(testkit.Ledger(1), 1, now), ErrFailed)
		tries++
		require.Equal(t, tries, log.tries)
	}
	require.ErrorIs(t, l.Grant(testkit.Ledger(1), 1, now.Add(-48*time.Hour)), ErrFailed)
	require.Equal(t, tries+1, log.tries, "a clock that was set back does not prolong the pause")

	log.set(nil)
	now = now.Add(longestPause)
	_, err = l.Hold(v, 60, now)
	require.ErrorIs(t, err, ErrVoucherExpired, "a minute has passed")
	require.NoError(t, l.Grant(testkit.Ledger(1), 7, now))
	b, _ = l.Balance(testkit.Ledger(1))
	require.EqualValues(t, 107, b.Available())
	again, err := OpenLedger(Config{Log: log, Codec: plainCodec{}})
	require.NoError(t, err)
	n, h = l.Head()
	m, g := again.Head()
	require.Equal(t, n, m)
	require.Equal(t, h, g)
}

// Transfers that wait behind a failing write are refused with it.
func TestMovementsBehindAFailureFail(t *testing.T) {
	log := &fullLog{gate: make(chan struct{})}
	l, err := OpenLedger(Config{Log: log, Codec: plainCodec{}})
	require.NoError(t, err)
	now := time.Unix(1_800_000_000, 0)
	close(log.gate)
	require.NoError(t, l.OpenAccount(testkit.Ledger(1), 0, now))
	log.mu.Lock()
	log.full, log.gate = errors.New("quota exceeded"), make(chan struct{})
	gate := log.gate
	log.mu.Unlock()
	const many = 20
	errs := make(chan error, many)
	for range many {
		go func() { errs <- l.Grant(testkit.Ledger(1), 1, now) }()
	}
	close(gate)
	for range many {
		require.ErrorIs(t, <-errs, ErrFailed)
	}
	b, _ := l.Balance(testkit.Ledger(1))
	require.Zero(t, b.Available())
	require.Zero(t, l.Sum())
	log.set(nil)
	require.NoError(t, l.Grant(testkit.Ledger(1), 5, now.Add(firstPause)))
	b, _ = l.Balance(testkit.Ledger(1))
	require.EqualValues(t, 5, b.Available())
}

// stuckLog cannot Replay while it is full, but can be read.
type stuckLog struct{ fullLog }

func (l *stuckLog) Replay(from uint64, base Base, fn func([]byte) error) error {
	l.mu.Lock()
	full := l.full
	l.mu.Unlock()
	if full != nil {
		return full
	}
	return l.MemoryLog.Replay(from, base, fn)
}

func (l *stuckLog) Read(from uint64, base Base, fn func([]byte) error) error {
	return l.MemoryLog.Replay(from, base, fn)
}

// The books show what is durable, and verify, while nothing can be written.
func TestBooksCanBeReadWhileTheLogIsFull(t *testing.T) {
	log := &stuckLog{}
	l := openTest(t, log)
	w := testWallet(t, 1)
	require.NoError(t, l.OpenAccount(w.Ledger(), 100, testNow))
	require.NoError(t, l.Grant(w.Ledger(), 7, testNow))
	before := l.Balances()
	log.set(errors.New("quota exceeded"))
	require.ErrorIs(t, l.Grant(w.Ledger(), 50, testNow), ErrFailed)
	require.Equal(t, before, l.Balances())
	r, err := Verify(log, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Entries)
	require.ErrorIs(t, l.Grant(w.Ledger(), 50, testNow.Add(time.Minute)), ErrFailed)
	log.set(nil)
	now := testNow.Add(2 * time.Minute)
	for l.Grant(w.Ledger(), 1, now) != nil { // the one that finds the log well is refused
		now = now.Add(longestPause)
	}
	require.EqualValues(t, before[0].Balance+1, l.Balances()[0].Balance)
}
