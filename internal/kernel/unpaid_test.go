package kernel

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/credit"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// What a node bills and does not get is no cost, whatever figure it names.
func TestAnUnpaidBillIsNoCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		liar := testkit.NamedPeer("liar")
		c := newFakeMesh([]mesh.Peer{{Connected: true, RTT: time.Millisecond, Profile: mesh.Profile{
			Peer: liar, CreditCost: 1, FreeSlots: 4, Expires: time.Now().Add(time.Hour), Sequence: 1}}})
		pay := &countingPayments{refusal: credit.ErrOverHold}
		k := startOn(t, c, func(cfg *Config) { cfg.Payments = pay })
		for _, code := range []mesh.JobCode{mesh.JobRejected, mesh.JobInternal, mesh.JobBadCapsule} {
			c.answers = map[identity.PeerID]func(context.Context, mesh.JobCall) (mesh.JobOutcome, error){
				liar: func(_ context.Context, call mesh.JobCall) (mesh.JobOutcome, error) {
					return mesh.JobOutcome{JobID: call.Job.ID, Node: liar, Code: code, Cost: math.MaxUint64, Receipt: []byte("bill")}, nil
				}}
			out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Deadline = time.Now().Add(10 * time.Second) }))
			require.Error(t, err)
			require.Zero(t, out.Cost)
			require.Empty(t, out.Receipt)
			require.Zero(t, pay.paid.Load())
		}
		// One that nobody here pays for costs no more than it may.
		c.answers[liar] = nil
		out, err := k.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Voucher = []byte("own"); s.Job.Budget = 7 }))
		require.NoError(t, err)
		require.LessOrEqual(t, out.Cost, uint64(7))
	})
}
