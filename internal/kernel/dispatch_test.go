package kernel

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/scheduler"
	"inos/internal/testkit"
	"inos/internal/threads/matchmaker"
)

func TestJobTravelsToTheBestNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Kind = "browser" })
		require.NoError(t, home.blobs.Accept(testBlob()))
		gpu := func(cost uint64) func(*Config) {
			return func(c *Config) { c.Capabilities, c.CreditCost = []string{"gpu", "simd"}, cost }
		}
		near, cheap, far := w.start("near", gpu(20)), w.start("cheap", gpu(5)), w.start("far", gpu(5))
		w.net.SetLatency(home.Self(), near.Self(), 5*time.Millisecond)   // rtt 10 ms, cost 20: score 5
		w.net.SetLatency(home.Self(), cheap.Self(), 10*time.Millisecond) // rtt 20 ms, cost 5: score 10
		w.net.SetLatency(home.Self(), far.Self(), 40*time.Millisecond)   // rtt 80 ms, cost 5: score 2.5
		for _, m := range []*member{near, cheap, far} {
			w.meet(home, m)
		}
		time.Sleep(time.Minute) // profiles and pings settle

		var progress []mesh.Progress
		sub := submission("some input", needs("gpu"))
		sub.Job.Args = []string{"2500ms"}
		sub.OnProgress = func(p mesh.Progress) { progress = append(progress, p) }
		out, err := home.Dispatch(t.Context(), sub)
		require.NoError(t, err)
		require.Equal(t, cheap.Self(), out.Node)
		require.InDelta(t, 10, out.Score, 1e-9)
		sum := sha256.Sum256([]byte("some input"))
		require.Equal(t, sum[:], out.Output)
		require.Equal(t, 2500*time.Millisecond, out.Run)
		require.EqualValues(t, 13, out.Cost, "ceil(5 * 2.5)")
		require.EqualValues(t, len(testWasm), out.Fetched)
		require.Len(t, out.Attempts, 1)
		require.Equal(t, 4, out.Decision.Considered)
		require.Equal(t, 3, out.Decision.Feasible)
		require.Equal(t, 1, out.Decision.RuledOut[scheduler.NeedCapabilities])
		require.Len(t, out.Decision.Top, 3)
		require.Equal(t, cheap.Self(), out.Decision.Top[0].Node.ID)
		require.NotEmpty(t, progress)
		require.EqualValues(t, 1, cheap.capsules.runs.Load())

		again, err := home.Dispatch(t.Context(), submission("more", needs("gpu")))
		require.NoError(t, err)
		require.Zero(t, again.Fetched, "the capsule is there now")

		jobs, err := home.Jobs(t.Context())
		require.NoError(t, err)
		require.Len(t, jobs, 2)
		require.Equal(t, JobDone, jobs[0].State)
	})
}

func TestRunsHereWhenThisNodeIsBest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home, other := w.start("home", nil), w.start("other", nil)
		require.NoError(t, home.blobs.Accept(testBlob()))
		w.net.SetLatency(home.Self(), other.Self(), time.Millisecond)
		w.meet(home, other)
		time.Sleep(time.Minute)
		out, err := home.Dispatch(t.Context(), submission("x", needs("simd")))
		require.NoError(t, err)
		require.True(t, out.Local)
		require.InDelta(t, 1000, out.Score, 1e-9, "0.1 ms, 10 microcredits a second")
	})
}

func TestDirectoryIsAskedWhenNobodyKnownWillDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", nil)
		require.NoError(t, home.blobs.Accept(testBlob()))
		w.net.SetDrop(home.Self(), testkit.NamedPeer("stranger"), true) // home does not hear its profile
		stranger := w.start("stranger", func(c *Config) { c.Capabilities = []string{"storage"} })
		time.Sleep(time.Second)
		w.net.SetDrop(home.Self(), stranger.Self(), false)
		w.net.SetLatency(home.Self(), stranger.Self(), 3*time.Millisecond)
		out, err := home.Dispatch(t.Context(), submission("x", needs("storage")))
		require.NoError(t, err)
		require.Equal(t, stranger.Self(), out.Node)
		require.True(t, out.Decision.Looked)
		require.Equal(t, 6*time.Millisecond, out.Decision.Latency, "measured before the choice")

		_, err = home.Dispatch(t.Context(), submission("x", needs("no-such-thing")))
		require.ErrorIs(t, err, scheduler.ErrNoCandidate)
	})
}

func TestNextNodeAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", nil)
		require.NoError(t, home.blobs.Accept(testBlob()))
		gpu := func(cost uint64) func(*Config) {
			return func(c *Config) { c.Capabilities, c.CreditCost = []string{"gpu"}, cost }
		}
		best, second := w.start("best", gpu(1)), w.start("second", gpu(2))
		for _, m := range []*member{best, second} {
			w.net.SetLatency(home.Self(), m.Self(), time.Millisecond)
			w.meet(home, m)
		}
		time.Sleep(8 * time.Second)
		w.net.SetDown(best.Self(), true)
		out, err := home.Dispatch(t.Context(), submission("x", needs("gpu")))
		require.NoError(t, err)
		require.Equal(t, second.Self(), out.Node)
		require.Len(t, out.Attempts, 2)
		require.Equal(t, best.Self(), out.Attempts[0].Node)
		require.ErrorIs(t, out.Attempts[0].Err, mesh.ErrUnreachable)

		w.net.SetDown(best.Self(), false)
		poison := submission("x", needs("gpu"))
		poison.Job.Method = "crash"
		_, err = home.Dispatch(t.Context(), poison)
		require.ErrorIs(t, err, matchmaker.ErrAttempts)
		var failed *matchmaker.JobError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, mesh.JobCrashed, failed.Code)
	})
}

func TestSlotsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		worker := w.start("worker", func(c *Config) { c.Slots = 3 })
		w.net.SetLatency(home.Self(), worker.Self(), time.Millisecond)
		w.meet(home, worker)
		time.Sleep(time.Minute)
		const jobs = 20
		errs := make(chan error, jobs)
		for range jobs {
			go func() {
				sub := submission("x", needs("simd"))
				sub.Job.Args = []string{"1s"}
				_, err := home.Dispatch(context.Background(), sub)
				errs <- err
			}()
		}
		for range jobs {
			require.NoError(t, <-errs)
		}
		require.EqualValues(t, 3, worker.capsules.mostRunning.Load(), "every slot was used, none twice")
	})
}

func TestCancelAtEveryStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		require.NoError(t, home.blobs.Accept(testBlob()))
		worker := w.start("worker", func(c *Config) { c.Slots = 1 })
		w.net.SetLatency(home.Self(), worker.Self(), time.Millisecond)
		w.meet(home, worker)
		time.Sleep(time.Minute)
		long := func(s *Submission) {
			s.Job.Args, s.Job.Requirements.Capabilities = []string{"30s"}, []string{"simd"}
		}
		running, stopRunning := context.WithCancel(t.Context())
		waiting, stopWaiting := context.WithCancel(t.Context())
		ran, waited := make(chan error, 1), make(chan error, 1)
		go func() { _, err := home.Dispatch(running, submission("x", long)); ran <- err }()
		time.Sleep(time.Second)
		go func() { _, err := home.Dispatch(waiting, submission("x", long)); waited <- err }()
		time.Sleep(time.Second)
		st, err := home.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, st.Running)
		require.Equal(t, 1, st.Waiting, "the worker has one slot")
		stopWaiting()
		require.ErrorIs(t, <-waited, matchmaker.ErrCancelled)
		stopRunning()
		require.ErrorIs(t, <-ran, matchmaker.ErrCancelled)
		time.Sleep(time.Second)
		require.Zero(t, worker.capsules.running.Load(), "the job ends on the node too")

		for _, stage := range []func() (string, chan error){
			func() (string, chan error) { // runs on the worker
				ended, sub := make(chan error, 1), submission("x", long)
				go func() { _, err := home.Dispatch(t.Context(), sub); ended <- err }()
				return sub.Job.ID, ended
			},
			func() (string, chan error) { // waits for its slot
				go func() { _, err := home.Dispatch(t.Context(), submission("x", long)); ran <- err }()
				time.Sleep(time.Second)
				ended, sub := make(chan error, 1), submission("x", long)
				go func() { _, err := home.Dispatch(t.Context(), sub); ended <- err }()
				return sub.Job.ID, ended
			},
		} {
			id, ended := stage()
			time.Sleep(time.Second)
			require.NoError(t, home.Cancel(t.Context(), id))
			err := <-ended
			require.ErrorIs(t, err, matchmaker.ErrCancelled)
			require.ErrorContains(t, err, "by command")
			require.ErrorIs(t, home.Cancel(t.Context(), id), ErrNoJob, "it has ended")
			time.Sleep(time.Second)
		}
		require.NoError(t, <-ran, "the one whose slot was waited for went on")

		late := submission("x", long)
		late.Job.Deadline = time.Now().Add(5 * time.Second)
		_, err = home.Dispatch(t.Context(), late)
		require.ErrorIs(t, err, matchmaker.ErrDeadline)
	})
}

func TestWorkerAsksItsOwnGovernance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", func(c *Config) { c.Slots = -1 })
		strict, err := governance.New(governance.Config{Ledgers: testkit.Balances{}})
		require.NoError(t, err)
		worker := w.start("worker", func(c *Config) { c.Gate = strict })
		w.meet(home, worker)
		time.Sleep(time.Minute)
		out, err := home.Dispatch(t.Context(), submission("x", needs("simd")))
		var failed *matchmaker.JobError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, mesh.JobRejected, failed.Code)
		require.Equal(t, "ledger_unknown", failed.Reason)
		require.Len(t, out.Attempts, 1, "a rejection is final")
		require.Zero(t, worker.capsules.runs.Load())
	})
}

func TestWrongInputIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", nil)
		sub := submission("x", nil)
		sub.Input = []byte("y")
		_, err := home.Dispatch(t.Context(), sub)
		require.True(t, errors.Is(err, ErrInput))
	})
}
