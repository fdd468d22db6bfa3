package governance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/fault"
	"inos/internal/identity"
)

// strict covers what it has and remembers what it was asked.
type strict struct {
	have            uint64
	amount, ceiling uint64
}

func (s *strict) Authorize(_ identity.LedgerID, _ string, _ []byte, _, _ identity.PeerID, _ string, amount, ceiling uint64, _ time.Duration, _ time.Time) (uint64, error) {
	s.amount, s.ceiling = amount, ceiling
	if amount == 0 {
		return min(s.have, ceiling), nil
	}
	if amount > s.have {
		return 0, codedError("ledger_exhausted")
	}
	return amount, nil
}

type codedError string

func (c codedError) Error() string       { return string(c) }
func (c codedError) Fault() *fault.Error { return fault.Lookup(string(c)) }

func TestCopiesAreAllCovered(t *testing.T) {
	now := testNow
	books := &strict{have: 1000}
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
