package kernel

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/budget"
	"inos/internal/capsule"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// withMemory is a node of so many bytes, which has the capsule.
func withMemory(t *testing.T, w *world, bytes uint64) (*member, *countingPayments, *budget.Memory) {
	memory, pay := budget.New(bytes), &countingPayments{}
	m := w.start("server", func(c *Config) { c.Memory, c.Payments = memory, pay })
	require.NoError(t, m.blobs.Accept(testBlob()))
	return m, pay, memory
}

// asked is a job of another node whose input is read by read.
func asked(to *member, length uint64, read func(ctx context.Context) ([]byte, error)) mesh.JobOutcome {
	sub := submission("x", func(s *Submission) { s.Job.InputLength, s.Job.InputCID = length, "" })
	return to.HandleJob(context.Background(), testkit.NamedPeer("caller"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Body: read},
		nil, func(mesh.Progress) {})
}

// An input has its memory before it comes, until the job has ended; where there is none it is not
// read, and nobody pays.
func TestInputsAreTakenFromTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const length = 1 << 20
		server, pay, memory := withMemory(t, newWorld(t), 16<<20)
		out := asked(server, length, func(context.Context) ([]byte, error) {
			require.EqualValues(t, length, memory.Of(budget.Inputs))
			return make([]byte, length), nil
		})
		require.Equal(t, mesh.JobOK, out.Code, out.Message)
		require.Zero(t, memory.Of(budget.Inputs))
		out.LetGo()

		const others = 15<<20 + 1
		require.NoError(t, memory.Take(budget.Capsules, others))
		refunded := pay.refunded.Load()
		out = asked(server, length, func(context.Context) ([]byte, error) {
			t.Error("it is read")
			return nil, nil
		})
		require.Equal(t, mesh.JobBusy, out.Code)
		require.Equal(t, "node_memory", out.Reason)
		require.EqualValues(t, refunded+1, pay.refunded.Load())
		st, err := server.Status(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 16<<20, st.Memory.Most)
		require.EqualValues(t, others, st.Memory.Of["capsules"])
		memory.Give(budget.Capsules, others)
		out = asked(server, length, func(context.Context) ([]byte, error) { return make([]byte, length), nil })
		require.Equal(t, mesh.JobOK, out.Code, out.Message)
	})
}

// An output has its memory until it is sent. A run whose output finds none is paid all the same.
func TestOutputsAreTakenFromTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, pay, memory := withMemory(t, newWorld(t), 16<<20)
		none := func(context.Context) ([]byte, error) { return nil, nil }
		out := asked(server, 0, none)
		require.Equal(t, mesh.JobOK, out.Code, out.Message)
		require.EqualValues(t, len(out.Output), memory.Of(budget.Outputs))
		out.LetGo()
		require.Zero(t, memory.Of(budget.Outputs))

		require.NoError(t, memory.Take(budget.Capsules, 16<<20-31))
		earned := pay.earned.Load()
		out = asked(server, 0, none)
		require.Equal(t, mesh.JobBusy, out.Code)
		require.Equal(t, "node_memory", out.Reason)
		require.Nil(t, out.Sent)
		require.EqualValues(t, earned+1, pay.earned.Load())
		require.Zero(t, memory.Of(budget.Outputs))
	})
}

// What a node wants to have done itself is counted for as long as it waits.
func TestOwnInputsAreTakenFromTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _, memory := withMemory(t, newWorld(t), 16<<20)
		sub := submission("some input", func(s *Submission) { s.Job.Args = []string{"1s"} })
		ended := make(chan error, 1)
		go func() {
			_, err := server.Dispatch(context.Background(), sub)
			ended <- err
		}()
		synctest.Wait()
		require.EqualValues(t, len(sub.Input), memory.Of(budget.Inputs))
		require.NoError(t, <-ended)
		require.Zero(t, memory.Of(budget.Inputs))
		require.Zero(t, memory.Of(budget.Outputs))

		require.NoError(t, memory.Take(budget.Capsules, 16<<20-1))
		_, err := server.Dispatch(context.Background(), submission("some input", nil))
		require.ErrorIs(t, err, budget.ErrFull)
		require.Equal(t, "node_memory", mesh.Reason(err))
	})
}

// A capsule that is to come has its memory before its bytes do.
func TestFetchedCapsulesAreTakenFromTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := budget.New(16 << 20)
		w := newWorld(t)
		server := w.start("server", func(c *Config) { c.Memory = memory })
		run := func() (mesh.JobOutcome, bool) {
			sub, came := submission("x", nil), false
			return server.HandleJob(context.Background(), testkit.NamedPeer("caller"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Input: sub.Input},
				func(_ context.Context, call mesh.FetchCall) (mesh.Blob, error) {
					if err := call.Room(uint64(len(testWasm))); err != nil {
						return mesh.Blob{}, err
					}
					came = true
					require.EqualValues(t, len(testWasm), memory.Of(budget.Library))
					return testBlob(), nil
				}, func(mesh.Progress) {}), came
		}
		require.NoError(t, memory.Take(budget.Capsules, 16<<20-20))
		out, came := run()
		require.False(t, came)
		require.Equal(t, mesh.JobBusy, out.Code)
		require.Equal(t, "node_memory", out.Reason)
		memory.Give(budget.Capsules, 16<<20-20)
		out, came = run()
		require.True(t, came)
		require.Equal(t, mesh.JobOK, out.Code, out.Message)
		require.Zero(t, memory.Of(budget.Library), "the library takes its own, and this one takes none")
	})
}

// A job waits for memory on the only node there is, until its deadline.
func TestJobsWaitForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _, memory := withMemory(t, newWorld(t), 16<<20)
		require.NoError(t, memory.Take(budget.Capsules, 16<<20-20))
		time.AfterFunc(10*time.Second, func() { memory.Give(budget.Capsules, 16<<20-20) })
		began := time.Now()
		out, err := server.Dispatch(context.Background(), submission("short", nil))
		require.NoError(t, err)
		require.Len(t, out.Output, 32)
		require.GreaterOrEqual(t, time.Since(began), 10*time.Second)

		require.NoError(t, memory.Take(budget.Capsules, 16<<20-20))
		_, err = server.Dispatch(context.Background(), submission("short", func(s *Submission) {
			s.Job.Deadline = time.Now().Add(time.Minute + time.Second/2) // between two attempts, which are a second apart
		}))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "no memory left on the node")
	})
}

// What is on its way here leaves memory for what runs here.
func TestArrivalsHaveAShareOfTheMemory(t *testing.T) {
	const mib = 1 << 20
	for memory, most := range map[uint64]uint64{
		0: 4 * mesh.MaxTransfer, 256 * mib: 128 * mib, 1024 * mib: 512 * mib, 2048 * mib: 2 * (mesh.MaxTransfer + arrivalCost), 1 << 40: 4 * mesh.MaxTransfer,
	} {
		require.Equal(t, most, newArrivals(1, memory).most, "%d MiB", memory/mib)
	}
	require.EqualValues(t, "node_memory", mesh.Reason(capsule.ErrNoMemory))
}
