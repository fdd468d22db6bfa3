package kernel

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"inos/internal/credit"
	"inos/internal/governance"
	"inos/internal/identity"
	"inos/internal/mesh"
	"inos/internal/testkit"
	"inos/internal/threads/matchmaker"
)

// patient is a job without a deadline and a budget that works for d.
func patient(d string) Submission {
	return submission("x", func(s *Submission) {
		s.Job.Deadline, s.Job.Args = time.Time{}, []string{d}
	})
}

// unlimited is testBlob without a time limit of its own.
func unlimited() mesh.Blob {
	b := testBlob()
	b.Manifest.TimeLimit = 0
	return b
}

// A run that outlasts what was set aside for it is paid and sent again with more, until
// it comes to its end: nobody set a budget. All of it stands in the outcome.
func TestARunThatOutlastsItsHoldIsRepeated(t *testing.T) {
	for _, where := range []string{"here", "elsewhere"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				payer := &amountPayments{}
				home := w.start("home", func(c *Config) {
					c.Payments = payer
					if where == "elsewhere" {
						c.Slots = -1
					}
				})
				require.NoError(t, home.blobs.Accept(unlimited()))
				if where == "elsewhere" {
					there := w.start("there", func(c *Config) {
						c.Payments = &countingPayments{}
						gate, err := governance.New(governance.Config{Ledgers: amountLedgers{1 << 40}})
						require.NoError(t, err)
						c.Gate = gate
					})
					w.meet(home, there)
					time.Sleep(time.Second)
				}
				out, err := home.Dispatch(t.Context(), patient("5m"))
				require.NoError(t, err)
				require.Len(t, out.Attempts, 3, "a minute, four, and then all five")
				for _, a := range out.Attempts[:2] {
					require.ErrorIs(t, a.Err, matchmaker.ErrRepeat)
				}
				first, second := credit.Bound(10, startRun), credit.Bound(10, outgrow*out.Attempts[0].Took)
				require.EqualValues(t, first, out.Attempts[0].Cost)
				require.EqualValues(t, second, out.Attempts[1].Cost)
				require.EqualValues(t, 3000, out.Attempts[2].Cost)
				require.EqualValues(t, first+second+3000, out.Cost)
				require.EqualValues(t, 5*time.Minute, out.Run)
			})
		})
	}
}

// A node that allows a job less than was promised has its time paid, and the job, which
// names no budget, goes to another one.
func TestAStingyNodeIsNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Payments, c.Slots = &amountPayments{}, -1 })
		require.NoError(t, home.blobs.Accept(unlimited()))
		for name, line := range map[string]uint64{"stingy": 50, "generous": 1 << 40} {
			there := w.start(name, func(c *Config) {
				c.Payments = &countingPayments{}
				if name == "generous" {
					c.CreditCost = 20 // the second choice
				}
				gate, err := governance.New(governance.Config{Ledgers: amountLedgers{line}})
				require.NoError(t, err)
				c.Gate = gate
			})
			w.meet(home, there)
		}
		time.Sleep(time.Second)
		out, err := home.Dispatch(t.Context(), patient("20s"))
		require.NoError(t, err)
		require.Equal(t, testkit.NamedPeer("generous"), out.Node)
		require.Len(t, out.Attempts, 2)
		require.EqualValues(t, 50, out.Attempts[0].Cost)
		require.EqualValues(t, 50+400, out.Cost)
	})
}

// amountPayments writes on its vouchers what they are worth, and amountLedgers believes them.
type amountPayments struct{ countingPayments }

func (w *amountPayments) Promise(_ governance.Admitted, _ identity.PeerID, t Terms, _ time.Time) ([]byte, error) {
	return strconv.AppendUint(nil, t.Amount, 10), nil
}

type amountLedgers struct{ creditLine uint64 }

func (l amountLedgers) Authorize(_ identity.LedgerID, _ string, voucher []byte, _, _ identity.PeerID, _ string, _, ceiling uint64, _ time.Duration, _ time.Time) (uint64, error) {
	worth, err := strconv.ParseUint(string(voucher), 10, 64)
	return min(worth, ceiling, l.creditLine), err
}

// With a budget of its own a job is never sent again: that would cost it once more.
func TestABudgetIsSpentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Payments = &countingPayments{} })
		require.NoError(t, home.blobs.Accept(unlimited()))
		sub := patient("5m")
		sub.Job.Budget = 600
		out, err := home.Dispatch(t.Context(), sub)
		require.Error(t, err)
		require.Equal(t, mesh.JobCreditExhausted, out.Code)
		require.Len(t, out.Attempts, 1)
		require.EqualValues(t, 600, out.Cost)
	})
}

// What is set aside is never more than the run can cost, the budget, or the time to the
// deadline, whatever has been seen of the method before.
func TestHoldsAreWhatAJobCanCost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := time.Duration(rapid.Int64Range(int64(time.Second), int64(24*time.Hour)).Draw(t, "limit"))
		runs := make(runTimes)
		m := method{"c", "m"}
		var longest time.Duration
		for _, ms := range rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 0, 64).Draw(t, "runs") {
			d := time.Duration(ms)
			longest = max(longest, d)
			runs.add(m, d)
		}
		usual := runs.usual(m, limit)
		require.Positive(t, usual)
		require.LessOrEqual(t, usual, limit)
		require.LessOrEqual(t, usual, max(startRun, runMargin*longest))
		require.GreaterOrEqual(t, usual, min(leastRun, limit))
	})
	runs := make(runTimes)
	for i := range 10 * methodsAtMost {
		runs.add(method{"c", string(rune(i))}, time.Second)
	}
	require.Len(t, runs, methodsAtMost)
	for range 2 * enoughAnswers {
		runs.add(method{"c", "quick"}, time.Millisecond)
		runs.add(method{"c", "slow"}, time.Minute)
	}
	require.Equal(t, leastRun, runs.usual(method{"c", "quick"}, time.Hour))
	require.Equal(t, runMargin*time.Minute, runs.usual(method{"c", "slow"}, time.Hour))
}

// Two hundred jobs of some seconds on a node of two slots: without a deadline they all
// have the time they need.
func TestJobsHaveTheTimeTheyNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", nil)
		require.NoError(t, home.blobs.Accept(testBlob()))
		const jobs = 200
		ended := make(chan error, jobs)
		for range jobs {
			sub := patient("3s")
			go func() {
				_, err := home.Dispatch(t.Context(), sub)
				ended <- err
			}()
		}
		for range jobs {
			require.NoError(t, <-ended)
		}
	})
}

// A deadline that has passed says where the time went.
func TestAPassedDeadlineSaysWhatItWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = 1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		within := func(d time.Duration, work string) Submission {
			sub := patient(work)
			sub.Job.Deadline = time.Now().Add(d)
			return sub
		}
		_, err := home.Dispatch(t.Context(), within(8*time.Second, "1m"))
		var late *matchmaker.DeadlineError
		require.ErrorAs(t, err, &late)
		require.ErrorIs(t, err, matchmaker.ErrDeadline)
		require.Equal(t, 8*time.Second, late.Ran)
		require.Zero(t, late.Waited)
		require.Contains(t, err.Error(), "waited 0s in the queue")
		require.Contains(t, err.Error(), "ran 8s on "+string(home.Self()))

		go func() { _, _ = home.Dispatch(t.Context(), within(6*time.Second, "1m")) }()
		synctest.Wait()
		_, err = home.Dispatch(t.Context(), within(8*time.Second, "1m"))
		require.ErrorAs(t, err, &late)
		require.Equal(t, 6*time.Second, late.Waited)
		require.Equal(t, 2*time.Second, late.Ran)
		require.Contains(t, err.Error(), "waited 6s in the queue for a free slot")

		go func() { _, _ = home.Dispatch(t.Context(), within(30*time.Second, "30s")) }()
		synctest.Wait()
		_, err = home.Dispatch(t.Context(), within(8*time.Second, "1m"))
		require.ErrorAs(t, err, &late)
		require.Equal(t, 8*time.Second, late.Waited)
		require.Contains(t, err.Error(), "for a free slot and was never sent to a node")
	})
}
