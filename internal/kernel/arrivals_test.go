package kernel

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"inos/internal/governance"
	"inos/internal/mesh"
	"inos/internal/testkit"
)

// slowJob is a job of caller's whose input does not come before its caller gives up.
func slowJob(ctx context.Context, to *member, caller string, length uint64) <-chan mesh.JobOutcome {
	sub := submission("x", func(s *Submission) { s.Job.InputLength = length })
	ended := make(chan mesh.JobOutcome, 1)
	go func() {
		ended <- to.HandleJob(ctx, testkit.NamedPeer(caller), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Origin: caller,
			Body: func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, context.Cause(ctx) },
		}, nil, func(mesh.Progress) {})
	}()
	synctest.Wait()
	return ended
}

func freeSlots(t *testing.T, m *member) int {
	st, err := m.Status(t.Context())
	require.NoError(t, err)
	return st.FreeSlots
}

// promptJob is a job that is here at once.
func promptJob(to *member, args ...string) <-chan mesh.JobOutcome {
	sub := submission("x", func(s *Submission) { s.Job.Args = args })
	ended := make(chan mesh.JobOutcome, 1)
	go func() {
		ended <- to.HandleJob(context.Background(), testkit.NamedPeer("honest"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Input: sub.Input},
			nil, func(mesh.Progress) {})
	}()
	return ended
}

// Jobs whose input or capsule does not come have no slot, and their money is held.
func TestASlowJobHasNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		pay := &countingPayments{}
		server := w.start("server", func(c *Config) { c.Payments = pay })
		require.NoError(t, server.blobs.Accept(testBlob()))
		ctx, cancel := context.WithCancel(t.Context())
		var slow []<-chan mesh.JobOutcome
		for i := range 4 {
			slow = append(slow, slowJob(ctx, server, fmt.Sprint("slow", i), 100<<20))
			require.EqualValues(t, i+1, pay.holds.Load(), "before a byte of it is kept")
		}
		require.Equal(t, 2, freeSlots(t, server))
		for range 3 {
			require.Equal(t, mesh.JobOK, (<-promptJob(server)).Code)
		}
		refunded := pay.refunded.Load()
		cancel()
		for _, ended := range slow {
			require.NotEqual(t, mesh.JobOK, (<-ended).Code)
		}
		require.Zero(t, server.blobs.Pins())
		require.EqualValues(t, refunded+4, pay.refunded.Load())
		require.NoError(t, server.loop.ask(t.Context(), func(s *state) {
			require.Zero(t, s.arrivals.used)
			require.Empty(t, s.arrivals.of)
		}))
	})
}

// One origin has a share of what may be on its way, of however many keys.
func TestArrivalsOfOneOriginLeaveOthersTheirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		server := w.start("server", nil)
		require.NoError(t, server.blobs.Accept(testBlob()))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first := slowJob(ctx, server, "one", 200<<20)
		second := slowJob(ctx, server, "one", 200<<20)
		require.Equal(t, mesh.JobBusy, (<-slowJob(ctx, server, "one", 200<<20)).Code, "it has its share")
		slowJob(ctx, server, "two", 200<<20)
		for i := range 4 {
			slowJob(ctx, server, fmt.Sprint("other", i), 100<<20)
		}
		out := <-first
		require.Equal(t, mesh.JobBusy, out.Code, "who has most makes room")
		require.Equal(t, errMadeRoom.Error(), out.Message)
		select {
		case out := <-second:
			require.Fail(t, "no more than that", "%+v", out)
		default:
		}
		require.Equal(t, mesh.JobOK, (<-promptJob(server)).Code)
	})
}

// A slot that comes free goes first to those that have paid before or pay now, and one in
// four to who has waited for longest, whoever it is: strangers wait longer, and not for ever.
func TestWhoPaysGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		pays := make(map[string]bool) // by job
		server := w.start("server", func(c *Config) {
			c.Slots = 1
			c.Payments = &countingPayments{pays: func(a governance.Admitted) bool { return pays[a.Job().ID] }}
		})
		require.NoError(t, server.blobs.Accept(testBlob()))
		served := make(chan string, 16)
		complete := make(map[string]chan struct{})
		comes := func(name string, payer bool) {
			sub := submission("x", func(s *Submission) { s.Job.Args = []string{"1s"} })
			pays[sub.Job.ID] = payer
			here := make(chan struct{})
			complete[name] = here
			go func() {
				out := server.HandleJob(context.Background(), testkit.NamedPeer(name), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Origin: name,
					Body: func(context.Context) ([]byte, error) { <-here; return sub.Input, nil }}, nil, func(mesh.Progress) {})
				if out.Code != mesh.JobOK {
					name += ": " + out.Message
				}
				served <- name
			}()
			synctest.Wait()
		}
		order := []string{"stranger0", "stranger1", "payer0", "payer1", "stranger2", "payer2", "payer3", "payer4", "payer5"}
		for _, name := range order {
			comes(name, strings.HasPrefix(name, "payer"))
		}
		time.Sleep(30 * time.Second) // they take that long to come
		running := promptJob(server, "1s")
		synctest.Wait()
		for _, name := range order {
			close(complete[name])
			synctest.Wait()
		}
		require.Equal(t, mesh.JobOK, (<-running).Code)
		var got []string
		for range order {
			got = append(got, <-served)
		}
		synctest.Wait()
		require.Zero(t, server.blobs.Pins(), "no job is here any more")
		require.Equal(t, []string{"payer0", "payer1", "payer2", "stranger0", "payer3", "payer4", "payer5", "stranger1", "stranger2"}, got)
		require.Equal(t, 1, freeSlots(t, server))
	})
}

// What came while others took the slots waits for one as long as it took to come.
func TestWhatHasComeWaitsForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		server := w.start("server", func(c *Config) { c.Slots = 1 })
		require.NoError(t, server.blobs.Accept(testBlob()))
		comes := func(after time.Duration) <-chan mesh.JobOutcome {
			sub := submission("x", nil)
			ended := make(chan mesh.JobOutcome, 1)
			go func() {
				ended <- server.HandleJob(context.Background(), testkit.NamedPeer("other"), mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job,
					Body: func(context.Context) ([]byte, error) { time.Sleep(after); return sub.Input, nil }}, nil, func(mesh.Progress) {})
			}()
			synctest.Wait()
			return ended
		}
		patient, hasty := comes(10*time.Second), comes(4*time.Second)
		running := promptJob(server, "12s")
		out := <-hasty
		require.Equal(t, mesh.JobBusy, out.Code)
		require.Contains(t, out.Message, noFreeSlot)
		require.Equal(t, 1, server.blobs.Pins(), "the running job's: the other waits no more")
		require.Equal(t, mesh.JobBusy, (<-promptJob(server)).Code, "whoever comes now is told so at once")
		require.Equal(t, mesh.JobOK, (<-running).Code)
		out = <-patient
		require.Equal(t, mesh.JobOK, out.Code, out.Message)
		require.Equal(t, 2*time.Second, out.Queued)
		require.Equal(t, 1, freeSlots(t, server))
	})
}
