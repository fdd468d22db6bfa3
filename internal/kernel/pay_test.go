package kernel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/threads/matchmaker"
)

func TestEveryPromiseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		payer, worker := &countingPayments{}, &countingPayments{}
		home := w.start("home", func(c *Config) { c.Slots, c.Payments = -1, payer })
		require.NoError(t, home.blobs.Accept(testBlob()))
		there := w.start("there", func(c *Config) { c.Payments = worker })
		w.meet(home, there)
		time.Sleep(time.Second)
		out, err := home.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.Equal(t, []byte("receipt"), out.Receipt)
		require.EqualValues(t, 1, payer.paid.Load())
		require.EqualValues(t, 1, worker.earned.Load())
		bad := submission("x", nil)
		bad.Job.Method = "crash"
		_, err = home.Dispatch(t.Context(), bad)
		require.Error(t, err)
		require.EqualValues(t, 2, payer.paid.Load(), "a capsule that crashes has run")
		require.EqualValues(t, 2, worker.earned.Load())
		there.capsules.busyUntil = time.Now().Add(time.Second)
		_, err = home.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Job.Deadline = time.Now().Add(time.Second / 2) }))
		require.Error(t, err)
		require.Positive(t, payer.withdrawn.Load(), "a node without room has not")
		require.Positive(t, worker.refunded.Load())
		ended := func() int64 { // the deadline and the answer to the last attempt may come in the same moment
			return payer.paid.Load() + payer.withdrawn.Load() + payer.givenUp.Load()
		}
		require.EqualValues(t, payer.promised.Load(), ended())
		time.Sleep(2 * time.Second)

		// A job that brings its own voucher needs no promise.
		_, err = home.Dispatch(t.Context(), submission("x", func(s *Submission) { s.Voucher = []byte("own") }))
		require.NoError(t, err)
		require.EqualValues(t, payer.promised.Load(), ended())
	})
}

func TestBudgetEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.CreditCost = 10 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		sub := submission("x", nil)
		sub.Job.Args, sub.Job.Budget = []string{"30s"}, 50 // 5 s
		start := time.Now()
		out, err := home.Dispatch(t.Context(), sub)
		var failed *matchmaker.JobError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, mesh.JobCreditExhausted, failed.Code)
		require.Equal(t, 5*time.Second, time.Since(start))
		require.EqualValues(t, 50, out.Cost, "what ran is paid for, as far as the budget goes")
	})
}

// A node that returns other bytes than it names has failed; the next one is tried.
func TestWrongResultIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := func(name string, rtt time.Duration) mesh.Peer {
			return mesh.Peer{Connected: true, RTT: rtt, Profile: mesh.Profile{
				Peer: testkit.NamedPeer(name), CreditCost: 1, FreeSlots: 1, Expires: time.Now().Add(time.Hour), Sequence: 1,
			}}
		}
		c := newFakeMesh([]mesh.Peer{peer("forger", time.Millisecond), peer("honest", time.Second)})
		c.forger = testkit.NamedPeer("forger")
		pay := &countingPayments{}
		k := startOn(t, c, func(cfg *Config) { cfg.Payments = pay })
		out, err := k.Dispatch(t.Context(), submission("x", nil))
		require.NoError(t, err)
		require.Equal(t, testkit.NamedPeer("honest"), out.Node)
		require.Len(t, out.Attempts, 2)
		require.ErrorIs(t, out.Attempts[0].Err, mesh.ErrResult)
		require.EqualValues(t, 1, pay.paid.Load(), "the forger is not paid")
		require.EqualValues(t, 1, pay.withdrawn.Load())
	})
}

// A promise is taken back only when it cannot have been earned.
func TestUnknownFateKeepsTheHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		payer := &countingPayments{}
		home := w.start("home", func(c *Config) { c.Slots, c.Payments, c.Attempts = -1, payer, 1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		there := w.start("there", func(c *Config) { c.Payments = &countingPayments{} })
		w.meet(home, there)
		time.Sleep(time.Second)
		job := func() Submission {
			return submission("x", func(s *Submission) { s.Job.Args = []string{"5s"} })
		}
		time.AfterFunc(time.Second, func() { w.net.SetDown(there.Self(), true) })
		_, err := home.Dispatch(t.Context(), job())
		require.ErrorIs(t, err, mesh.ErrUnreachable)
		require.EqualValues(t, 1, payer.promised.Load())
		require.Zero(t, payer.withdrawn.Load(), "it may have done the work")

		out, err := home.Dispatch(t.Context(), job())
		require.ErrorIs(t, err, matchmaker.ErrDeadline)
		require.NotEmpty(t, out.Attempts)
		for _, a := range out.Attempts {
			require.ErrorIs(t, a.Err, mesh.ErrUnsent)
		}
		require.EqualValues(t, len(out.Attempts), payer.withdrawn.Load(), "it never heard of this one")
		require.EqualValues(t, len(out.Attempts)+1, payer.promised.Load())
	})
}

// Debits are reported as they fall due, whatever the capsule says.
func TestDebitsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.CreditCost = 10 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		var costs []uint64
		sub := submission("x", func(s *Submission) {
			s.Job.Args, s.Job.Budget = []string{"30s"}, 35
			s.OnProgress = func(p mesh.Progress) { costs = append(costs, p.Cost) }
		})
		_, err := home.Dispatch(t.Context(), sub)
		require.Error(t, err)
		require.Equal(t, []uint64{1, 1, 10, 20, 30}, costs, "the first one says that the run has begun")
	})
}
