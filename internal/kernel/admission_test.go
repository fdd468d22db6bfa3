package kernel

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// countingGate is a Gate that counts who is inside.
type countingGate struct {
	Gate
	passed, inside atomic.Int64
}

func (g *countingGate) Admit(req governance.Request, now time.Time) (governance.Admitted, error) {
	a, err := g.Gate.Admit(req, now)
	if err == nil {
		g.passed.Add(1)
		g.inside.Add(1)
	}
	return a, err
}

func (g *countingGate) Done(a governance.Admitted) {
	g.inside.Add(-1)
	g.Gate.Done(a)
}

// However a job ends, the gate hears of it once: what it counts per ledger would run
// full otherwise.
func TestTheGateHearsOfEveryEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var gate *countingGate
		home := w.start("home", func(c *Config) {
			gate = &countingGate{Gate: c.Gate}
			c.Gate, c.Slots = gate, 1
		})
		require.NoError(t, home.blobs.Accept(testBlob()))
		long := func(s *Submission) { s.Job.Args = []string{"5s"} }
		crash := func(s *Submission) { s.Job.Method = "crash" }
		wrong := func(s *Submission) { s.Input = []byte("y") }
		costly := func(s *Submission) { s.Job.Requirements.MaxCost = 1 }
		ways := []func(*Submission){nil, crash, wrong, costly, needs("gpu"), func(s *Submission) { s.Job.Deadline = time.Now().Add(time.Second); s.Job.Args = []string{"5s"} }}
		for i, way := range ways {
			_, _ = home.Dispatch(t.Context(), submission("x", way))
			require.EqualValues(t, 2*i+1, gate.passed.Load(), "way %d: it was admitted", i)
			require.Zero(t, gate.inside.Load(), "way %d, from here", i)
			serveFor(t, home.Kernel, submission("x", way))
			require.EqualValues(t, 2*i+2, gate.passed.Load(), "way %d: it was admitted", i)
			require.Zero(t, gate.inside.Load(), "way %d, from the mesh", i)
			time.Sleep(2 * time.Second)
		}

		sub := submission("x", long)
		ended := make(chan struct{})
		go func() { defer close(ended); serveFor(t, home.Kernel, sub) }()
		time.Sleep(time.Second)
		require.EqualValues(t, 1, gate.inside.Load(), "while it runs")
		require.Equal(t, mesh.JobBusy, serveFor(t, home.Kernel, submission("x", nil)).Code, "no slot")
		require.EqualValues(t, 1, gate.inside.Load())
		<-ended
		require.Zero(t, gate.inside.Load())
	})
}

// serveFor has k do a job of another node.
func serveFor(t *testing.T, k *Kernel, sub Submission) mesh.JobOutcome {
	return k.HandleJob(t.Context(), testkit.NamedPeer("other"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Input: sub.Input}, nil, func(mesh.Progress) {})
}

// A job's id is taken for as long as the job is under way, and no longer.
func TestADuplicateIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		home := w.start("home", nil)
		require.NoError(t, home.blobs.Accept(testBlob()))
		sub := submission("x", func(s *Submission) { s.Job.Args = []string{"5s"} })
		ended := make(chan error, 1)
		go func() { _, err := home.Dispatch(context.Background(), sub); ended <- err }()
		time.Sleep(time.Second)
		_, err := home.Dispatch(t.Context(), sub)
		require.ErrorIs(t, err, ErrDuplicate)
		jobs, err := home.Jobs(t.Context())
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		require.Equal(t, JobPlaced, jobs[0].State, "the first is as it was")
		require.NoError(t, <-ended)
		require.EqualValues(t, 1, home.capsules.runs.Load())
		_, err = home.Dispatch(t.Context(), sub)
		require.NoError(t, err)

		// The same for a job of another node: another one of that name is none of its.
		twice := make(chan mesh.JobOutcome, 1)
		go func() { twice <- serveFor(t, home.Kernel, sub) }()
		time.Sleep(time.Second)
		require.Equal(t, mesh.JobBusy, serveFor(t, home.Kernel, sub).Code)
		require.Equal(t, mesh.JobOK, (<-twice).Code)
		require.Equal(t, mesh.JobOK, serveFor(t, home.Kernel, sub).Code)
	})
}

// A node does what a job asks for, or does not do the job.
func TestJobsOfOthersAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		server := w.start("server", func(c *Config) { c.GeoHash = "u33d" }) // "simd", 10 microcredits
		require.NoError(t, server.blobs.Accept(testBlob()))
		for name, c := range map[string]struct {
			change func(*Submission)
			code   mesh.JobCode
			reason string
		}{
			"all it has": {func(s *Submission) {
				s.Job.Requirements = governance.Requirements{Capabilities: []string{"simd"}, GeoPrefix: "u33", MaxCost: 10}
			}, mesh.JobOK, ""},
			"a gpu":       {needs("simd", "gpu"), mesh.JobBusy, "requirements"},
			"elsewhere":   {func(s *Submission) { s.Job.Requirements.GeoPrefix = "9q8" }, mesh.JobBusy, "requirements"},
			"cheaper":     {func(s *Submission) { s.Job.Requirements.MaxCost = 9 }, mesh.JobBusy, "requirements"},
			"other bytes": {func(s *Submission) { s.Input = []byte("y") }, mesh.JobRejected, "bad_input"},
			"more bytes":  {func(s *Submission) { s.Job.InputCID = ""; s.Input = []byte("xx") }, mesh.JobRejected, "bad_input"},
		} {
			runs := server.capsules.runs.Load()
			out := serveFor(t, server.Kernel, submission("x", c.change))
			require.Equal(t, c.code, out.Code, name)
			require.Equal(t, c.reason, out.Reason, name)
			require.Equal(t, c.code == mesh.JobOK, server.capsules.runs.Load() > runs, name)
			st, err := server.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2, st.FreeSlots, "%s: the slot is back", name)
			require.Zero(t, st.Serving)
		}
	})
}
