package governance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/identity"
	"inos/internal/testkit"
)

// recordingLedgers has the balances and notes what the gate asked for last.
type recordingLedgers struct {
	testkit.Balances
	amount, ceiling uint64
}

func (l *recordingLedgers) Authorize(ledger identity.LedgerID, jobID string, voucher []byte, from, payee identity.PeerID, origin string, amount, ceiling uint64, length time.Duration, now time.Time) (uint64, error) {
	l.amount, l.ceiling = amount, ceiling
	return l.Balances.Authorize(ledger, jobID, voucher, from, payee, origin, amount, ceiling, length, now)
}

func TestCopiesAreAllCovered(t *testing.T) {
	now := testNow
	books := &recordingLedgers{Balances: testkit.Balances{testkit.Ledger(1): 1000}}
	g, err := New(Config{Ledgers: books})
	require.NoError(t, err)
	admit := func(change func(*Request)) (Admitted, error) {
		req := testRequest()
		req.Voucher = nil
		change(&req)
		return g.Admit(req, now)
	}
	a, err := admit(func(r *Request) { r.Job.Replicas, r.Job.Budget = 3, 300 })
	require.NoError(t, err)
	require.EqualValues(t, 900, books.amount)
	require.EqualValues(t, 300, a.Job().Budget, "each node's")
	require.Equal(t, 2, a.Job().AgreeOrMajority())

	_, err = admit(func(r *Request) { r.Job.Replicas, r.Job.Budget = 3, 400 })
	require.ErrorIs(t, err, ErrLedgerExhausted)
	a, err = admit(func(r *Request) { r.Job.Replicas, r.Job.Budget = 3, 0 })
	require.NoError(t, err)
	require.EqualValues(t, 333, a.Job().Budget, "what there is, shared")

	// A node that is one of them does it once.
	a, err = admit(func(r *Request) { r.Job.Replicas, r.Job.Budget, r.From = 3, 400, "12D3KooWpeer" })
	require.NoError(t, err)
	require.EqualValues(t, 400, a.Job().Budget)

	for name, change := range map[string]func(*Request){
		"too many":       func(r *Request) { r.Job.Replicas = MaxReplicas + 1 },
		"no majority":    func(r *Request) { r.Job.Replicas, r.Job.Agree = 4, 2 },
		"more than all":  func(r *Request) { r.Job.Replicas, r.Job.Agree = 2, 3 },
		"agree alone":    func(r *Request) { r.Job.Agree = 2 },
		"one voucher":    func(r *Request) { r.Job.Replicas, r.Voucher = 2, []byte("v") },
		"over the limit": func(r *Request) { r.Job.Replicas, r.Job.Budget = 2, 1<<63 },
	} {
		_, err := admit(change)
		require.Error(t, err, name)
	}
}
